//! An article of a package: its JATS document joined with its image files.

mod join;
mod lookup;

use arrow_buffer::Buffer;
use serde::{Deserialize, Serialize};

use crate::error::{Error, words};
use crate::image::Format;
use crate::jats::{self, Subset};
use crate::package::VersionReason;

pub use join::{join, without_images};

/// One article, ready for the tables and the shards.
#[derive(Debug, Clone)]
pub struct Article {
    /// `PMC…`, else the DOI's or the package's slug: ASCII letters, digits and `-`, at most 96 bytes.
    pub accession: String,
    /// Version number of the article, where the package tells.
    pub version: Option<u32>,
    /// Why this version of it was taken, where there may be several.
    pub version_reason: Option<VersionReason>,
    /// It is the author's manuscript, not what the journal published; none when nobody says.
    pub is_manuscript: Option<bool>,
    /// The package that it was read from.
    pub source: String,
    /// What the document says; its `figures` are moved to [`Article::figures`].
    pub jats: jats::Article,
    /// Every figure in document order.
    pub figures: Vec<Figure>,
}

/// One figure of an article.
#[derive(Debug, Clone)]
pub struct Figure {
    /// `<accession>_<0001…>`, no dots.
    pub image_id: String,
    /// What the document says of it.
    pub jats: jats::Figure,
    /// The image's file, when one was found.
    pub image: Option<Image>,
    /// Whether it makes a pair, and else why not.
    pub status: Status,
}

/// The image file of a figure: the publisher's bytes.
#[derive(Debug, Clone)]
pub struct Image {
    /// Last segment of the file's name.
    pub file_name: String,
    /// Format by its magic bytes; none when they are of no known format.
    pub format: Option<Format>,
    /// Width and height in pixels, when the header tells.
    pub size: Option<[u32; 2]>,
    /// SHA-256 of the bytes.
    pub hash: [u8; 32],
    /// The bytes; a slice of the package's own buffer.
    pub bytes: Buffer,
}

words! {
    /// Whether a figure is a pair, and else the first reason why not.
    Status {
        /// A usable image and a caption: a pair.
        Ok = "ok",
        /// No href, or no file of that name.
        NoImage = "no_image",
        /// No caption; a label alone is none.
        NoCaption = "no_caption",
        /// A side below the smallest size.
        TooSmall = "too_small",
        /// A known format, but the header cannot be read.
        UnreadableImage = "unreadable_image",
        /// A format that is not known here.
        UnsupportedFormat = "unsupported_format",
        /// Its article was retracted.
        Retracted = "retracted",
        /// Its article's licence is none of those that are wanted.
        Filtered = "filtered",
    }
}

/// What makes a figure a pair, beside an image and a caption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Images with a side of fewer pixels make no pairs.
    pub min_size: u32,
    /// Figures of retracted articles make pairs too.
    pub keep_retracted: bool,
    /// Only articles of these subsets make pairs; of all when there is none.
    pub subsets: Vec<Subset>,
    /// Only articles of these licences make pairs, by their names in `article_license`; of all when there is none.
    pub licenses: Vec<String>,
}

impl Rules {
    /// Those of which only the size of images is given.
    pub fn of_size(min_size: u32) -> Self {
        Self { min_size, ..Self::default() }
    }

    /// Why no figure of the article is to be a pair.
    fn refusal(&self, article: &jats::Article) -> Option<Status> {
        let license = &article.license;
        let is_wanted = (self.subsets.is_empty() || self.subsets.contains(&license.subset()))
            && (self.licenses.is_empty() || license.code.is_some_and(|code| self.licenses.iter().any(|l| l == code)));
        if article.is_retracted && !self.keep_retracted {
            Some(Status::Retracted)
        } else {
            (!is_wanted).then_some(Status::Filtered)
        }
    }
}

/// What one unit of work gave, in the order of its packages.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Articles, in order.
    pub articles: Vec<Article>,
    /// What could not be read, in order. Every error has its source set.
    pub failures: Vec<Failure>,
}

/// One thing that could not be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// The article that it belongs to, when that is known.
    pub accession: Option<String>,
    /// What happened and where.
    pub error: Error,
}
