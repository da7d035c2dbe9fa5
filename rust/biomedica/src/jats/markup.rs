//! What the markup of captions says beside their text: where bold stretches are and where paragraphs begin. Labels of
//! panels are known by it.

use std::ops::Range;

/// The markup of one caption, by byte offsets into its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Markup {
    /// Bold stretches, by where they begin.
    pub bold: Vec<Range<usize>>,
    /// Where paragraphs and titles begin.
    pub breaks: Vec<usize>,
}

/// Marks of the captions that are open, the inner ones last: offsets are into the text of their frame.
#[derive(Debug, Default)]
pub struct Marks {
    marks: Vec<Mark>,
}

#[derive(Debug)]
struct Mark {
    /// How many frames are open where it stands.
    depth: usize,
    start: usize,
    /// None for the beginning of a paragraph.
    end: Option<usize>,
}

impl Marks {
    /// Notes that a paragraph begins.
    pub fn begin_block(&mut self, depth: usize, at: usize) {
        self.marks.push(Mark { depth, start: at, end: None });
    }

    /// Notes that a bold stretch begins; returns its number.
    pub fn begin_bold(&mut self, depth: usize, at: usize) -> usize {
        self.marks.push(Mark { depth, start: at, end: Some(at) });
        self.marks.len() - 1
    }

    /// Ends a bold stretch, unless it is gone with its frame.
    pub fn end_bold(&mut self, number: usize, depth: usize, at: usize) {
        if let Some(mark) = self.marks.get_mut(number).filter(|mark| mark.depth == depth) {
            mark.end = Some(at);
        }
    }

    /// There are none, as nearly always.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// The marks of a frame move to the one around it, whose text has the frame's from `at`; none if it has not.
    pub fn hand_up(&mut self, depth: usize, at: Option<usize>) {
        let first = self.first(depth);
        let Some(at) = at else { return self.marks.truncate(first) };
        for mark in self.marks.iter_mut().skip(first) {
            mark.depth = depth.saturating_sub(1);
            mark.start += at;
            mark.end = mark.end.map(|end| end + at);
        }
    }

    /// Takes the marks of a caption that was read whole.
    pub fn take(&mut self, depth: usize) -> Markup {
        let mut markup = Markup::default();
        for mark in self.marks.drain(self.first(depth)..) {
            match mark.end {
                Some(end) => markup.bold.push(mark.start..end),
                None => markup.breaks.push(mark.start),
            }
        }
        markup
    }

    fn first(&self, depth: usize) -> usize {
        self.marks.iter().rposition(|mark| mark.depth < depth).map_or(0, |last| last + 1)
    }
}
