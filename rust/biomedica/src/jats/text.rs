//! Text with its white space collapsed while it is collected.

/// What stands between the text so far and the text to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
}

/// A place in a text, and what parts it from what comes.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    len: usize,
    gap: Gap,
}

/// A string that takes text piece by piece, runs of white space as one space, none at its ends.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
    gap: Gap,
}

impl Text {
    /// An empty text that writes into `buffer`, whose content is dropped.
    pub fn reusing(mut buffer: String) -> Self {
        buffer.clear();
        Self { out: buffer, gap: Gap::None }
    }

    /// The buffer with what was collected.
    pub fn into_string(self) -> String {
        self.out
    }

    /// Length of what was collected, in bytes.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Parts what comes from what was by a space.
    #[inline]
    pub fn space(&mut self) {
        self.gap = self.gap.max(Gap::Space);
    }

    /// Parts what comes from what was by a line break.
    #[inline]
    pub fn line(&mut self) {
        self.gap = Gap::Line;
    }

    /// Adds text as it stands in the document.
    #[inline]
    pub fn push(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        loop {
            while let Some(width) = white_space(bytes, at) {
                at += width;
                self.space();
            }
            let end = run_end(bytes, at);
            let Some(run) = text.get(at..end).filter(|run| !run.is_empty()) else { return };
            self.close_gap();
            self.out.push_str(run);
            at = end;
        }
    }

    /// Adds text whose white space is collapsed already.
    #[inline]
    pub fn push_collapsed(&mut self, text: &str) {
        if !text.is_empty() {
            self.close_gap();
            self.out.push_str(text);
        }
    }

    /// Where the text ends now.
    pub fn mark(&self) -> Mark {
        Mark { len: self.out.len(), gap: self.gap }
    }

    /// Removes what was added between two marks.
    pub fn remove(&mut self, from: Mark, to: Mark) {
        if self.out.get(from.len..to.len).is_none() {
            return;
        }
        self.out.drain(from.len..to.len);
        if from.len == self.out.len() {
            self.gap = from.gap;
        }
    }

    #[inline]
    fn close_gap(&mut self) {
        match std::mem::take(&mut self.gap) {
            _ if self.out.is_empty() => {}
            Gap::None => {}
            Gap::Space => self.out.push(' '),
            Gap::Line => self.out.push('\n'),
        }
    }
}

/// Bytes by what they can begin: 0 plain, 1 the space itself, 2 other ASCII white space, 3 maybe wider white space.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    class[b' ' as usize] = 1;
    let mut byte = 0x09;
    while byte <= 0x0D {
        class[byte] = 2;
        byte += 1;
    }
    class[0xC2] = 3;
    class[0xE1] = 3;
    class[0xE2] = 3;
    class[0xE3] = 3;
    class
};

/// Width in bytes of the `White_Space` character at `at`, if one stands there.
#[inline]
fn white_space(bytes: &[u8], at: usize) -> Option<usize> {
    match CLASS[usize::from(*bytes.get(at)?)] {
        0 => None,
        1 | 2 => Some(1),
        _ => wide_white_space(bytes.get(at..)?),
    }
}

#[cold]
fn wide_white_space(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0xC2, 0x85 | 0xA0, ..] => Some(2),
        [0xE1, 0x9A, 0x80, ..]
        | [0xE2, 0x80, 0x80..=0x8A | 0xA8 | 0xA9 | 0xAF, ..]
        | [0xE2, 0x81, 0x9F, ..]
        | [0xE3, 0x80, 0x80, ..] => Some(3),
        _ => None,
    }
}

/// End of the longest run from `at` that can be copied as it is: words parted by single spaces.
#[inline]
fn run_end(bytes: &[u8], mut at: usize) -> usize {
    loop {
        while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            if !is_run(block) {
                break;
            }
            at += BLOCK;
        }
        // What stopped the block is somewhere in it, or the text ends.
        for _ in 0..BLOCK {
            let Some(byte) = bytes.get(at) else { return at };
            match CLASS[usize::from(*byte)] {
                0 => {}
                1 if matches!(bytes.get(at + 1), Some(next) if CLASS[usize::from(*next)] == 0) => {}
                3 if bytes.get(at..).is_some_and(|rest| wide_white_space(rest).is_none()) => {}
                _ => return at,
            }
            at += 1;
        }
    }
}

const BLOCK: usize = 16;

/// Whether a block surely belongs to a run; the byte after it is looked at for a space at its end. Written without a
/// branch or a table, so that it compiles to vector instructions.
#[inline]
#[allow(clippy::needless_bitwise_bool)] // a lazy operator is a branch
fn is_run(block: &[u8; BLOCK + 1]) -> bool {
    let is_doubtful = |byte: u8| (byte < 0x20) | (byte == 0xC2) | (byte.wrapping_sub(0xE1) < 3);
    let mut bad = false;
    for at in 0..BLOCK {
        let (byte, next) = (block[at], block[at + 1]);
        bad |= is_doubtful(byte) | ((byte == b' ') & ((next == b' ') | is_doubtful(next)));
    }
    !bad
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn collapse(pieces: &[&str]) -> String {
        let mut text = Text::default();
        for piece in pieces {
            text.push(piece);
        }
        text.into_string()
    }

    #[test]
    fn white_space_of_every_kind_becomes_one_space() {
        assert_eq!(collapse(&["\u{a0} a\t\r\n b\u{2009}\u{3000}c\u{85}d\u{1680}e  "]), "a b c d e");
    }

    #[test]
    fn pieces_join_with_nothing_unless_white_space_parts_them() {
        assert_eq!(collapse(&["CO", "2", " gas", " ", " rose"]), "CO2 gas rose");
    }

    #[test]
    fn blocks_are_parted_once() {
        let mut text = Text::default();
        text.space();
        text.push("a ");
        text.space();
        text.push(" b");
        text.line();
        text.space();
        text.push("c");
        assert_eq!(text.into_string(), "a b\nc");
    }

    #[test]
    fn removed_text_leaves_the_gap_before_it_and_no_other() {
        for (before, after) in [("a ", "a y"), ("a", "ay")] {
            let mut text = Text::default();
            text.push(before);
            let from = text.mark();
            text.push(" x^2 ");
            let to = text.mark();
            text.remove(from, to);
            text.push("y");
            assert_eq!(text.into_string(), after);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_splitting_on_white_space(pieces in prop::collection::vec("[ abcdefgh\t\u{a0}é\u{2009}\u{200b}\u{3000}\u{3001}z\n]{0,60}", 0..6)) {
            let whole = pieces.concat();
            let expected = whole.split_whitespace().collect::<Vec<_>>().join(" ");
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(collapse(&pieces), expected);
        }
    }
}
