//! Hands what a package gave to its reader, and bounds how many failures one package can bring.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::{File, Files, Metadata, VersionReason};
use crate::error::{Error, Reason, Result, Stage};

/// Failures of one package that are told one by one; the rest is counted in one last failure.
pub const MAX_FAILURES: usize = 1000;

/// Takes each article's files, and each failure.
pub type Sink<'a> = &'a mut dyn FnMut(Result<Files>) -> ControlFlow<()>;

pub(super) struct Report<'a> {
    sink: Sink<'a>,
    source: String,
    failures: usize,
    unlisted: usize,
    stage: Stage,
    /// What is known of all articles of the package.
    pub(super) metadata: Option<Arc<Metadata>>,
    pub(super) version_reason: Option<VersionReason>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: String, sink: Sink<'a>) -> Self {
        Self { sink, source, failures: 0, unlisted: 0, stage: Stage::Open, metadata: None, version_reason: None }
    }

    pub(super) fn article(&mut self, name: String, xml: File, others: Arc<[File]>) -> ControlFlow<()> {
        let (metadata, version_reason) = (self.metadata.clone(), self.version_reason);
        (self.sink)(Ok(Files { name, xml, others, metadata, version_reason }))
    }

    pub(super) fn failure(&mut self, error: Error) -> ControlFlow<()> {
        if self.failures == MAX_FAILURES {
            self.unlisted += 1;
            self.stage = error.stage();
            return ControlFlow::Continue(());
        }
        self.failures += 1;
        (self.sink)(Err(error.in_source(self.source.as_str())))
    }

    pub(super) fn has_failures(&self) -> bool {
        self.failures > 0
    }

    /// Tells of the failures that were not told one by one.
    pub(super) fn finish(self) {
        if self.unlisted > 0 {
            let detail = format!("{} further failures in this package are not listed", self.unlisted);
            let _ = (self.sink)(Err(Error::new(self.stage, Reason::TooLarge, detail).in_source(self.source)));
        }
    }
}
