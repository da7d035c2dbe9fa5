//! The column of image bytes: views into the packages' buffers.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::BinaryViewBuilder;
use arrow_buffer::Buffer;

use super::internal;
use crate::error::{Error, Reason, Result, Stage};

/// Views of at most so many bytes hold them inline and need no block.
const INLINE: usize = 12;

/// One view an image, each image's buffer a block of its own: it is a slice that shares the package's allocation, so
/// the bytes stay where they were inflated to.
pub(super) fn column<'a>(images: impl Iterator<Item = Option<&'a Buffer>>) -> Result<ArrayRef> {
    let mut views = BinaryViewBuilder::with_capacity(images.size_hint().0);
    for image in images {
        match image {
            None => views.append_null(),
            Some(bytes) if bytes.len() <= INLINE => views.append_value(bytes.as_slice()),
            Some(bytes) => {
                // Views have 32-bit lengths; far above `Limits::member_bytes`, but that one can be set.
                let length = u32::try_from(bytes.len()).ok().filter(|&n| n < u32::MAX);
                let length = length.ok_or_else(|| {
                    Error::new(Stage::Image, Reason::TooLarge, format!("an image of {} bytes", bytes.len()))
                })?;
                let block = views.append_block(bytes.clone());
                views.try_append_view(block, 0, length).map_err(|e| internal(&e))?;
            }
        }
    }
    Ok(Arc::new(views.finish()))
}
