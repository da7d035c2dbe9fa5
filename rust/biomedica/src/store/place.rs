//! A store and a place in it: one question at a time, and what its answers mean.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use object_store::client::HttpError;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{GetOptions, GetResult, ObjectStore};

use super::request::{Failed, streamed};
use crate::error::{Error, Reason, Stage};

const MAX_DETAIL: usize = 300;

/// A store that can be written to piece by piece.
pub(super) trait Bucket: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Bucket for T {}

/// A store and an object, or a prefix, in it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The same, where it can be written to.
    pub(super) bucket: Option<Arc<dyn Bucket>>,
    pub(super) path: Path,
    /// Scheme and bucket, with the slash after them: before a key it is a location.
    pub(super) base: String,
    pub(super) location: String,
    /// The location for messages: without the user and the query, which may be secrets.
    pub(super) shown: String,
    /// What the location says that the object's digest is.
    pub(super) md5: Option<[u8; 16]>,
    pub(super) patience: Duration,
    /// How long one request may take.
    pub(super) limit: Duration,
    pub(super) stop: Arc<AtomicBool>,
}

impl Place {
    /// What takes an object and its pieces.
    pub(super) fn writable(&self) -> Result<Arc<dyn Bucket>, Error> {
        self.bucket.clone().ok_or_else(|| {
            let detail = "nothing can be written there; a directory, s3://, gs:// and az:// can be";
            Error::new(Stage::Write, Reason::UnsupportedFormat, detail).in_source(self.shown.clone())
        })
    }

    /// Asks for a range or all.
    pub(super) async fn ask(&self, range: Option<Range<u64>>) -> Result<GetResult, Failed> {
        let options = GetOptions { range: range.map(Into::into), ..GetOptions::default() };
        streamed(self.store.get_opts(&self.path, options)).await
    }

    #[cold]
    pub(super) fn error(&self, stage: Stage, (error, status): &Failed) -> Error {
        let (reason, hint) = match (error, status) {
            (object_store::Error::NotSupported { .. }, _) => return no_ranges(),
            (object_store::Error::NotFound { .. }, _) | (_, Some(404 | 410)) => (Reason::NotFound, ""),
            (object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }, _)
            | (_, Some(401 | 403)) => (Reason::PermissionDenied, self.hint()),
            (_, Some(416)) => (Reason::Mismatch, "; the object changed while it was read"),
            (_, Some(301 | 307)) => (Reason::Io, "; AWS_REGION may have to name the bucket's region"),
            (object_store::Error::NotImplemented { .. }, _) | (_, Some(501)) => (Reason::UnsupportedFormat, ""),
            (_, Some(507)) => (Reason::DiskFull, "; the store is full"),
            _ => (Reason::Io, ""),
        };
        let text = match status {
            Some(status) if !(200..300).contains(status) => format!("the server answered {status}"),
            _ => describe(error),
        };
        Error::new(stage, reason, format!("{text}{hint}")).in_source(self.shown.clone())
    }

    fn hint(&self) -> &'static str {
        if self.location.starts_with("s3:") {
            "; a bucket that is not public needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        } else if self.location.starts_with("gs:") {
            "; a bucket that is not public needs GOOGLE_SERVICE_ACCOUNT"
        } else if self.location.starts_with("az:") {
            "; a container that is not public needs AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_KEY"
        } else {
            "; the server wants a token (for hf://, HF_TOKEN or `hf auth login`) or another one"
        }
    }
}

#[cold]
pub(super) fn no_ranges() -> Error {
    let detail = "the server ignores Range, so that every read would fetch all of it; with a cache it is fetched once";
    Error::new(Stage::Fetch, Reason::UnsupportedFormat, detail)
}

/// What went wrong, without the URL: its query may hold a signature.
pub(super) fn describe(error: &object_store::Error) -> String {
    let text = match causes(error).find_map(|cause| cause.downcast_ref::<HttpError>()) {
        Some(http) => last(http),
        None => causes(error).last().map(ToString::to_string).unwrap_or_default(),
    };
    text.chars().take(MAX_DETAIL).collect()
}

/// The text of an error and of its last cause, which says most.
fn last(error: &(dyn std::error::Error + 'static)) -> String {
    let end = causes(error).last().map(ToString::to_string).unwrap_or_default();
    let start = error.to_string();
    if start.contains(&end) { start } else { format!("{start}: {end}") }
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
