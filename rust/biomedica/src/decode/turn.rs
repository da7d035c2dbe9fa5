//! How a stored image is turned to be looked at: the eight orientations of EXIF, as flips and a transposition.

/// From the image as it is looked at to the one that is stored: flip along x, flip along y, then swap the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    pub flip_x: bool,
    pub flip_y: bool,
    pub transpose: bool,
}

/// A rectangle, in pixels or parts of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Turn {
    /// The turn that value `orientation` of EXIF's tag 274 asks for; unknown values ask for none.
    pub fn from_exif(orientation: u16) -> Self {
        let (flip_x, flip_y, transpose) = match orientation {
            2 => (true, false, false),
            3 => (true, true, false),
            4 => (false, true, false),
            5 => (false, false, true),
            6 => (true, false, true),
            7 => (true, true, true),
            8 => (false, true, true),
            _ => (false, false, false),
        };
        Self { flip_x, flip_y, transpose }
    }

    /// Width and height after the turn; the same the other way.
    pub fn size<T: Copy>(self, [width, height]: [T; 2]) -> [T; 2] {
        if self.transpose { [height, width] } else { [width, height] }
    }

    /// Where `rect` of an image that is looked at, `size` large, lies in the stored one.
    pub fn stored(self, rect: Rect, [width, height]: [f64; 2]) -> Rect {
        let Rect { mut left, mut top, .. } = rect;
        if self.flip_x {
            left = width - left - rect.width;
        }
        if self.flip_y {
            top = height - top - rect.height;
        }
        if self.transpose {
            Rect { left: top, top: left, width: rect.height, height: rect.width }
        } else {
            Rect { left, top, ..rect }
        }
    }

    /// The place in a stored image of `[width, height]` of the first pixel of row `y`, and the step to the next one.
    pub fn row(self, y: usize, [width, height]: [usize; 2]) -> (usize, isize) {
        let [seen_width, seen_height] = self.size([width, height]);
        let y = if self.flip_y { seen_height - 1 - y } else { y };
        let x = if self.flip_x { seen_width - 1 } else { 0 };
        let (start, step) = if self.transpose { (x * width + y, width.cast_signed()) } else { (y * width + x, 1) };
        (start, if self.flip_x { -step } else { step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels of a turned image, read through `row`.
    fn seen(stored: &[u8], size: [usize; 2], orientation: u16) -> Vec<u8> {
        let turn = Turn::from_exif(orientation);
        let [width, height] = turn.size(size);
        let mut seen = Vec::new();
        for y in 0..height {
            let (start, step) = turn.row(y, size);
            seen.extend((0..width).map(|x| stored[start.wrapping_add_signed(step * x.cast_signed())]));
        }
        seen
    }

    #[test]
    fn the_eight_orientations_are_those_of_exif() {
        // abc
        // def
        let expected = ["abcdef", "cbafed", "fedcba", "defabc", "adbecf", "daebfc", "fcebda", "cfbead"];
        for (orientation, expected) in (1..).zip(expected) {
            assert_eq!(seen(b"abcdef", [3, 2], orientation), expected.as_bytes(), "orientation {orientation}");
        }
    }

    #[test]
    fn a_rectangle_finds_the_stored_pixels() {
        // The pixel at the top left as it is seen, one of 3x2 stored ones.
        for (orientation, expected) in (1..).zip(*b"acfdadfc") {
            let turn = Turn::from_exif(orientation);
            let size = turn.size([3.0, 2.0]);
            let rect = turn.stored(Rect { left: 0.0, top: 0.0, width: 1.0, height: 1.0 }, size);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let at = (rect.top * 3.0 + rect.left) as usize;
            assert_eq!(b"abcdef"[at], expected, "orientation {orientation}");
        }
    }
}
