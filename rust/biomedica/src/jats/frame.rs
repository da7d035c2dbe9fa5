//! Where text goes while it is read: a stack of frames, the innermost of which takes it.
//!
//! A frame is opened by an element whose text is wanted by itself (a paragraph, a caption, a surname) and by one whose
//! text is no part of the text around it (a float, a footnote), which is muted.

use super::front::Field;
use super::mention::Place;
use super::text::Text;

/// What becomes of a frame's text.
#[derive(Debug)]
pub enum Role {
    /// It is dropped, as far as inner frames do not take it.
    Muted,
    /// A paragraph: part of the text around it, and a mention where it has references to figures.
    Paragraph(Place),
    /// The article's own text.
    Body,
    /// The caption of the node.
    Caption(u32),
    /// The label of the node.
    Label(u32),
    /// An abstract: how good it is as the article's, and the node to which its paragraphs lend a caption.
    Abstract { node: u32, rank: Option<u8> },
    /// An entry of the reference list.
    Reference,
    /// TeX of a formula.
    Tex,
    /// A field of the article's front.
    Field(Field),
}

/// The stack of frames.
#[derive(Debug, Default)]
pub struct Frames {
    stack: Vec<(Role, Text)>,
    /// Buffers of closed frames, to be used again.
    pool: Vec<String>,
}

impl Frames {
    /// Opens a frame.
    pub fn open(&mut self, role: Role) {
        let buffer = if matches!(role, Role::Muted) { String::new() } else { self.pool.pop().unwrap_or_default() };
        self.stack.push((role, Text::reusing(buffer)));
    }

    /// Closes the innermost frame.
    pub fn close(&mut self) -> Option<(Role, String)> {
        self.stack.pop().map(|(role, text)| (role, text.into_string()))
    }

    /// Takes back a buffer that is no longer needed.
    pub fn recycle(&mut self, buffer: String) {
        // Enough for the frames that are ever open at once; a huge buffer is better freed.
        if self.pool.len() < 16 && (1..1 << 20).contains(&buffer.capacity()) {
            self.pool.push(buffer);
        }
    }

    /// The innermost frame's role.
    pub fn role(&self) -> &Role {
        self.stack.last().map_or(&Role::Muted, |(role, _)| role)
    }

    /// The text that is collected now, unless it is dropped.
    #[inline]
    pub fn text(&mut self) -> Option<&mut Text> {
        match self.stack.last_mut() {
            None | Some((Role::Muted, _)) => None,
            Some((_, text)) => Some(text),
        }
    }

    /// How many frames are open.
    pub fn depth(&self) -> usize {
        self.stack.len()
    }

    /// Length of the innermost frame's text.
    pub fn len(&self) -> usize {
        self.stack.last().map_or(0, |(_, text)| text.len())
    }

    /// Parts the text before a block from the text in it: by a line break between the top blocks of the body, else by
    /// a space.
    #[inline]
    pub fn part(&mut self, top: bool) {
        match self.stack.last_mut() {
            None | Some((Role::Muted, _)) => {}
            Some((Role::Body, text)) if top => text.line(),
            Some((_, text)) => text.space(),
        }
    }
}
