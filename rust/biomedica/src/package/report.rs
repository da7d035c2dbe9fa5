//! Hands what a package gave to its reader, and bounds how many failures one package can bring.

use std::ops::ControlFlow;

use super::Files;
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
}

impl<'a> Report<'a> {
    pub(super) fn new(source: String, sink: Sink<'a>) -> Self {
        Self { sink, source, failures: 0, unlisted: 0, stage: Stage::Open }
    }

    pub(super) fn article(&mut self, files: Files) -> ControlFlow<()> {
        (self.sink)(Ok(files))
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
