//! Python bindings of the `biomedica` crate: argument checks, the release of the GIL, errors, and the hand-over of
//! Arrow data. What they do is in the crate.

mod buffer;
mod compact;
mod decode;
mod error;
mod extract;
mod index;
mod interrupt;
mod parse_article;
mod parse_entrez;
mod read;
mod resample;
mod retry;
mod rules;
mod run;
mod selection;
mod similar;
mod store;
mod stream;
mod text_hash;
mod verify;

/// Rust threads allocate what Python threads free; mimalloc is made for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The compiled core of biomedica.
#[pyo3::pymodule(name = "_core", gil_used = true)]
mod core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::compact::compact;
    #[pymodule_export]
    use super::decode::Decoder;
    #[pymodule_export]
    use super::extract::extract;
    #[pymodule_export]
    use super::index::index;
    #[pymodule_export]
    use super::parse_article::parse_article;
    #[pymodule_export]
    use super::parse_entrez::parse_entrez;
    #[pymodule_export]
    use super::read::{Chunk, Reader, read};
    #[pymodule_export]
    use super::resample::{draw_counts, draw_sums, weighted_areas};
    #[pymodule_export]
    use super::retry::retry;
    #[pymodule_export]
    use super::run::{Run, survey, write_part};
    #[pymodule_export]
    use super::similar::{describe_images, find_hashes, group_hashes, hash_images, hash_panels, hash_variants};
    #[pymodule_export]
    use super::store::{Lock, Store};
    #[pymodule_export]
    use super::stream::{Sample, Stream, stream};
    #[pymodule_export]
    use super::text_hash::hash_texts;
    #[pymodule_export]
    use super::verify::verify;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        module.add("build_profile", profile)?;
        module.add("MAX_THRESHOLD", biomedica::similar::MAX_THRESHOLD)?;
        module.add("DESCRIPTOR_LENGTH", biomedica::similar::describe::LENGTH)?;
        module.add("REASONS", words(biomedica::error::Reason::ALL, |word| word.as_str()))?;
        module.add("STAGES", words(biomedica::error::Stage::ALL, |word| word.as_str()))?;
        module.add("STATUSES", words(biomedica::article::Status::ALL, |word| word.as_str()))?;
        Ok(())
    }

    fn words<T>(all: &[T], word: impl Fn(&T) -> &'static str) -> Vec<&'static str> {
        all.iter().map(word).collect()
    }
}
