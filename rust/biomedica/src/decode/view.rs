//! Which part of an image becomes which pixels of the output: `open_clip`'s transforms, as geometry.

use super::turn::Rect;
use crate::error::{Error, Reason, Result, Stage};
use crate::random::SplitMix64;

/// How an image that is evaluated, not trained on, is fitted into the square.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// The shorter side fills it, the longer is cropped at its ends.
    #[default]
    Shortest,
    /// The longer side fills it, the rest is black.
    Longest,
    /// Both sides fill it.
    Squash,
}

/// What images become.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Width and height of the output.
    pub size: u32,
    /// Random crops rather than the whole image.
    pub train: bool,
    /// Bounds of a random crop's share of the area.
    pub scale: [f64; 2],
    /// Bounds of a random crop's width over height.
    pub ratio: [f64; 2],
    /// Mirror every second image that is trained on.
    pub flip: bool,
    /// How whole images are fitted.
    pub fit: Fit,
    /// Bilinear rather than bicubic interpolation; both look at all pixels that they shrink.
    pub bilinear: bool,
    /// Subtracted from each channel, which runs from 0 to 1.
    pub mean: [f32; 3],
    /// What each channel is divided by after that.
    pub std: [f32; 3],
}

impl Default for Options {
    /// What `open_clip` trains with.
    fn default() -> Self {
        Self {
            size: 224,
            train: true,
            scale: [0.9, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
            flip: false,
            fit: Fit::Shortest,
            bilinear: false,
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
        }
    }
}

impl Options {
    /// The largest output.
    pub const MAX_SIZE: u32 = 4096;

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |detail: String| Err(Error::new(Stage::Image, Reason::Mismatch, detail));
        if !(1..=Self::MAX_SIZE).contains(&self.size) {
            return wrong(format!("an image size of {}, which is not within 1..={}", self.size, Self::MAX_SIZE));
        }
        for (name, [low, high], most) in [("scale", self.scale, 1.0), ("ratio", self.ratio, 1e6)] {
            if !(low > 0.0 && low <= high && high <= most) {
                return wrong(format!("a {name} from {low} to {high}; it must rise from above 0 to at most {most}"));
            }
        }
        if !self.std.iter().all(|&std| std.is_finite() && std > 0.0) || !self.mean.iter().all(|mean| mean.is_finite()) {
            return wrong(format!("mean {:?} and std {:?}; they must be finite, std above 0", self.mean, self.std));
        }
        Ok(())
    }
}

/// The part of an image (as it is looked at, EXIF's turn done) that becomes the output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// What is resized.
    pub(super) window: Rect,
    /// Whether the interpolation may look at pixels around the window: a crop of a resized image sees them, a resized
    /// crop does not.
    pub(super) looks_around: bool,
    /// Left, top, width and height in the output of what is resized; the rest is black.
    pub(super) place: [u32; 4],
    /// Mirrored in the end.
    pub(super) flip: bool,
}

impl View {
    /// Left, top, width and height of the window, in pixels.
    pub fn window(&self) -> [f64; 4] {
        [self.window.left, self.window.top, self.window.width, self.window.height]
    }

    /// Whether the output is mirrored.
    pub fn flip(&self) -> bool {
        self.flip
    }
}

/// The numbers that decide a crop.
struct Random(SplitMix64);

impl Random {
    /// Between `low` and `high`, from the upper 53 bits.
    #[allow(clippy::cast_precision_loss)] // 53 bits are what a float holds
    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.0.next() >> 11) as f64 / (1_u64 << 53) as f64)
    }

    /// One of `0..=most`.
    fn up_to(&mut self, most: u32) -> u32 {
        let wide = u128::from(self.0.next()) * (u128::from(most) + 1);
        u32::try_from(wide >> 64).unwrap_or(most)
    }
}

/// The view of an image of `[width, height]`; `seed` decides where a random crop lies.
pub fn view([width, height]: [u32; 2], seed: u64, options: &Options) -> View {
    let size = options.size;
    let full = [0, 0, size, size];
    if options.train {
        let mut random = Random(SplitMix64(seed));
        let [left, top, crop_width, crop_height] = random_crop([width, height], &mut random, options).map(f64::from);
        let window = Rect { left, top, width: crop_width, height: crop_height };
        let flip = options.flip && random.0.next() >> 63 == 1;
        return View { window, looks_around: false, place: full, flip };
    }
    let (w, h, s) = (f64::from(width), f64::from(height), f64::from(size));
    let (window, place) = match options.fit {
        Fit::Squash => (Rect { left: 0.0, top: 0.0, width: w, height: h }, full),
        Fit::Longest => {
            let ratio = w.max(h) / s;
            // An image may be a line; torchvision would refuse to make it vanish.
            let [new_width, new_height] = [w, h].map(|side| whole(side / ratio).clamp(1, size));
            let place = [(size - new_width) / 2, (size - new_height) / 2, new_width, new_height];
            (Rect { left: 0.0, top: 0.0, width: w, height: h }, place)
        }
        Fit::Shortest => {
            // torchvision cuts the longer side's fraction off.
            let (new_width, new_height) =
                if width <= height { (s, (s * h / w).floor()) } else { ((s * w / h).floor(), s) };
            let left = ((new_width - s) / 2.0).round_ties_even();
            let top = ((new_height - s) / 2.0).round_ties_even();
            let scale = [w / new_width, h / new_height];
            let window = Rect { left: left * scale[0], top: top * scale[1], width: s * scale[0], height: s * scale[1] };
            (window, full)
        }
    };
    View { window, looks_around: true, place, flip: false }
}

/// torchvision's `RandomResizedCrop.get_params`: ten tries, then the largest central crop whose ratio is allowed.
fn random_crop([width, height]: [u32; 2], random: &mut Random, options: &Options) -> [u32; 4] {
    let (w, h) = (f64::from(width), f64::from(height));
    let [low, high] = options.ratio;
    for _ in 0..10 {
        let area = w * h * random.uniform(options.scale[0], options.scale[1]);
        let ratio = random.uniform(low.ln(), high.ln()).exp();
        let (crop_width, crop_height) = (whole((area * ratio).sqrt()), whole((area / ratio).sqrt()));
        if (1..=width).contains(&crop_width) && (1..=height).contains(&crop_height) {
            let top = random.up_to(height - crop_height);
            let left = random.up_to(width - crop_width);
            return [left, top, crop_width, crop_height];
        }
    }
    let ratio = w / h;
    let (crop_width, crop_height) = if ratio < low {
        (width, whole(w / low).clamp(1, height))
    } else if ratio > high {
        (whole(h * high).clamp(1, width), height)
    } else {
        (width, height)
    };
    [(width - crop_width) / 2, (height - crop_height) / 2, crop_width, crop_height]
}

/// Rounded as Python rounds.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a float becomes the nearest number there is
fn whole(value: f64) -> u32 {
    value.round_ties_even() as u32
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::float_cmp)] // whole numbers and their quotients
mod tests {
    use super::*;

    #[test]
    fn a_random_crop_keeps_to_its_bounds() {
        let options = Options { scale: [0.3, 0.8], ..Options::default() };
        for seed in 0..2000 {
            let [left, top, width, height] = view([640, 480], seed, &options).window();
            assert!(left >= 0.0 && top >= 0.0 && left + width <= 640.0 && top + height <= 480.0);
            let (share, ratio) = (width * height / (640.0 * 480.0), width / height);
            assert!((0.29..0.81).contains(&share) && (0.74..1.34).contains(&ratio), "{share} {ratio}");
        }
    }

    #[test]
    fn an_image_too_long_for_any_crop_is_cropped_in_the_middle() {
        assert_eq!(view([1000, 30], 7, &Options::default()).window(), [480.0, 0.0, 40.0, 30.0]);
        assert_eq!(view([30, 1000], 7, &Options::default()).window(), [0.0, 480.0, 30.0, 40.0]);
        assert_eq!(view([1, 1], 7, &Options::default()).window(), [0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn every_second_image_is_flipped() {
        let options = Options { flip: true, ..Options::default() };
        let flipped = (0..1000).filter(|&seed| view([64, 64], seed, &options).flip()).count();
        assert!((450..550).contains(&flipped), "{flipped}");
    }

    #[test]
    fn whole_images_are_fitted_as_open_clip_does() {
        let options = |fit| Options { size: 100, train: false, fit, ..Options::default() };
        let shortest = view([401, 200], 0, &options(Fit::Shortest));
        // Resized to 200x100, cropped from 50 to 150.
        assert_eq!(shortest.window(), [50.0 * 401.0 / 200.0, 0.0, 100.0 * 401.0 / 200.0, 200.0]);
        let longest = view([400, 200], 0, &options(Fit::Longest));
        assert_eq!((longest.window(), longest.place), ([0.0, 0.0, 400.0, 200.0], [0, 25, 100, 50]));
        assert_eq!(view([400, 3], 0, &options(Fit::Squash)).window(), [0.0, 0.0, 400.0, 3.0]);
        assert_eq!(view([100_000, 1], 0, &options(Fit::Longest)).place, [0, 49, 100, 1]);
    }

    #[test]
    fn options_out_of_their_bounds_are_refused() {
        let good = Options::default();
        good.check().unwrap();
        for bad in [
            Options { size: 0, ..good.clone() },
            Options { size: 5000, ..good.clone() },
            Options { scale: [0.0, 1.0], ..good.clone() },
            Options { scale: [0.9, 0.5], ..good.clone() },
            Options { scale: [0.5, f64::NAN], ..good.clone() },
            Options { ratio: [0.5, f64::INFINITY], ..good.clone() },
            Options { std: [1.0, 0.0, 1.0], ..good.clone() },
            Options { mean: [0.0, f32::NAN, 0.0], ..good.clone() },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
