//! One rank's turns of an epoch: where the sample of each turn lies, and which one stands in when it cannot be read.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::catalog::{Catalog, Shard};
use super::fetch::Work;
use super::objects::{Kept, Objects, RunRequest};
use super::order::{Deal, Recipe};
use super::plan::{Place, Plan};
use super::sample::Sample;
use crate::error::{Error, Reason, Result, Stage};

/// Samples that are tried for one turn.
const MAX_STEPS: u64 = 64;
/// Bytes of one sample.
pub(super) const MAX_SAMPLE: u64 = 512 << 20;
/// A run with gaps (of a selection) is fetched whole only when it is not larger than this many times its samples.
const MAX_GAPS: u64 = 2;
/// Else neighbours with at most so many bytes between them are fetched together: to ask anew costs more.
const NEAR: u64 = 16 << 10;

/// The shards of a stream and the order over them, shared by its epochs.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) catalogs: Arc<Vec<Catalog>>,
    pub(super) weights: Vec<f64>,
    pub(super) plan: Plan,
    pub(super) recipe: Recipe,
    pub(super) objects: Arc<Objects>,
    /// Whether local shards are read as remote ones are.
    pub(super) is_remote: bool,
    pub(super) kept: Kept,
}

/// A sample that was read for a turn.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) sample: Sample,
    /// What could not be read before it.
    pub(super) bad: Vec<Error>,
}

/// The turns of a rank from some place of an epoch on.
#[derive(Debug)]
pub(super) struct Turns {
    pub(super) indexed: Arc<Indexed>,
    pub(super) deal: Deal,
    pub(super) epoch: u64,
    pub(super) start: u64,
    pub(super) is_stopped: Arc<AtomicBool>,
}

impl Work for Turns {
    type Item = Turn;
    type Claim = Place;

    fn len(&self) -> u64 {
        self.deal.len(self.indexed.plan.count(), self.start)
    }

    fn claim(&self, number: u64) -> (Place, u64) {
        let place = self.indexed.plan.place(self.epoch, self.position(number), 0);
        let bytes = self.indexed.extent(place).map_or(0, |(_, bytes)| bytes.end - bytes.start);
        (place, bytes)
    }

    fn read(&self, number: u64, place: Place) -> Result<Turn> {
        let stopped = || self.is_stopped.load(Ordering::Relaxed);
        self.indexed.turn(self.epoch, self.position(number), Some(place), 0, &stopped)
    }
}

impl Turns {
    fn position(&self, number: u64) -> u64 {
        self.deal.position(self.indexed.plan.count(), self.start, number)
    }
}

impl Indexed {
    /// The sample of a turn, or the first that can be read after it in its lane, `steps` steps on at least.
    pub(super) fn turn(
        &self,
        epoch: u64,
        position: u64,
        first: Option<Place>,
        steps: u64,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Turn> {
        let mut bad = Vec::new();
        for steps in steps..(steps + MAX_STEPS).min(self.plan.count()) {
            let place = first.filter(|_| bad.is_empty()).unwrap_or_else(|| self.place(epoch, position, steps));
            match self.read(place, position) {
                Ok(mut sample) => {
                    (sample.position, sample.epoch, sample.steps) = (position, epoch, steps);
                    return Ok(Turn { sample, bad });
                }
                Err(error) if stopped() => return Err(error),
                Err(error) => bad.push(error),
            }
        }
        Err(match bad.last() {
            Some(last) => {
                let detail = format!("none of {} samples in a row can be read; the last: {last}", bad.len());
                Error::new(last.stage(), last.reason(), detail)
            }
            None => Error::new(Stage::Fetch, Reason::Empty, "there is no other sample that could stand in"),
        })
    }

    /// The place that is `steps` steps on: along the lane, and when that has come around, along the epoch.
    fn place(&self, epoch: u64, position: u64, steps: u64) -> Place {
        match steps.checked_sub(self.plan.lane_len(position)) {
            None => self.plan.place(epoch, position, steps),
            Some(further) => self.plan.place(epoch, (position + 1 + further) % self.plan.count().max(1), 0),
        }
    }

    fn extent(&self, place: Place) -> Option<(&Shard, Range<u64>)> {
        let catalog = self.catalogs.get(place.source)?;
        let (shard, within) = catalog.find(place.sample);
        let shard = catalog.shards().get(shard)?;
        Some((shard, shard.extent(within..within + 1)))
    }

    fn read(&self, place: Place, turn: u64) -> Result<Sample> {
        let nowhere = || Error::new(Stage::Fetch, Reason::Internal, "a sample that is in no shard");
        let (shard, extent) = self.extent(place).ok_or_else(nowhere)?;
        let size = extent.end - extent.start;
        if size > MAX_SAMPLE {
            let detail = format!("a sample of {size} bytes; at most {MAX_SAMPLE} are read");
            let error = Error::new(Stage::Fetch, Reason::TooLarge, detail);
            return Err(error.in_source(shard.location().as_ref()).at_offset(extent.start));
        }
        let object = self.objects.get(shard.location())?;
        // The padding after the last member of a cut shard may be missing.
        let start = extent.start;
        let extent = start..extent.end.min(object.size().max(start));
        let place_of = |error: Error| error.in_source(shard.location().as_ref()).at_offset(start);
        let bytes = if object.is_local() && !self.is_remote {
            object.read(extent)
        } else {
            self.read_run(place, &object, extent, turn)
        };
        Sample::parse(bytes.map_err(place_of)?, shard.location(), start)
    }

    /// The bytes of a remote sample, with those of its neighbours that are needed soon.
    fn read_run(&self, place: Place, object: &crate::store::Object, extent: Range<u64>, turn: u64) -> Result<Bytes> {
        let Some(catalog) = self.catalogs.get(place.source) else { return object.read(extent) };
        let (number, within) = catalog.find(place.sample);
        let Some(shard) = catalog.shards().get(number) else { return object.read(extent) };
        let Recipe { block, window, lanes, .. } = self.recipe;
        let block = block as usize;
        let samples = run(shard, within, block);
        let bytes = shard.extent(samples.clone());
        let bytes = bytes.start..bytes.end.min(object.size());
        if samples.len() < 2 || bytes.start > extent.start || bytes.end < extent.end {
            return object.read(extent);
        }
        // A lane has the run's samples within two windows and a block, drawn as often as the source's weight says.
        let reach = u64::from(lanes) * (2 * u64::from(window) + block as u64) * self.plan.draws_for_one(place.source);
        let key = (place.source, number, samples.start);
        let run = RunRequest { key, bytes, samples: samples.len(), until: turn.saturating_add(reach) };
        self.kept.read(object, extent, &run, turn)
    }
}

/// The samples that are fetched along with one: its block when not too much of that is gaps, else its near neighbours there.
fn run(shard: &Shard, within: usize, block: usize) -> Range<usize> {
    let size = |bytes: Range<u64>| bytes.end - bytes.start;
    let one = |sample: usize| shard.extent(sample..sample + 1);
    let is_dense = |samples: &Range<usize>| {
        let own: u64 = samples.clone().map(|sample| size(one(sample))).sum();
        size(shard.extent(samples.clone())) <= MAX_GAPS * own
    };
    let first = within - within % block;
    let whole = first..(first + block).min(shard.len());
    if is_dense(&whole) {
        return whole;
    }
    let is_near = |left: &usize| one(left + 1).start.checked_sub(one(*left).end).is_some_and(|gap| gap <= NEAR);
    let start = (first..within).rev().take_while(is_near).last().unwrap_or(within);
    let end = (within..whole.end.saturating_sub(1)).take_while(is_near).last().map_or(within, |left| left + 1);
    let near = start..end + 1;
    if is_dense(&near) { near } else { within..within + 1 }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const KIB: u64 = 1 << 10;

    /// A shard of samples at these places, in KiB.
    fn shard(places: &[Range<u64>]) -> Shard {
        let mut shard = Shard::new("a.tar");
        for place in places {
            shard.push(place.start * KIB..place.end * KIB).unwrap();
        }
        shard
    }

    fn runs(shard: &Shard, block: usize) -> Vec<Range<usize>> {
        (0..shard.len()).map(|sample| run(shard, sample, block)).collect()
    }

    #[test]
    fn all_samples_of_a_dense_block_come_together() {
        let shard = shard(&[0..10, 10..20, 30..40, 60..70, 70..80]);
        assert_eq!(runs(&shard, 4), [0..4, 0..4, 0..4, 0..4, 4..5]);
    }

    #[test]
    fn of_a_sparse_block_those_that_touch_come_together() {
        let shard = shard(&[0..10, 10..20, 90..100, 200..210, 210..220, 226..236, 500..501, 516..517]);
        assert_eq!(runs(&shard, 8), [0..2, 0..2, 2..3, 3..6, 3..6, 3..6, 6..7, 7..8]);
        // A block ends where it ends.
        assert_eq!(runs(&shard, 4), [0..2, 0..2, 2..3, 3..4, 4..6, 4..6, 6..7, 7..8]);
    }

    #[test]
    fn samples_out_of_order_are_no_neighbours() {
        let shard = shard(&[500..510, 0..10, 10..20]);
        assert_eq!(runs(&shard, 3), [0..1, 1..3, 1..3]);
    }
}
