//! Where a stream's samples come from, and what reads an epoch of them.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::catalog::{Catalog, Opened, Shard};
use super::fetch::{Fetcher, Poll};
use super::objects::{Kept, Objects};
use super::options::Options;
use super::plan::Plan;
use super::sequence::{Sequence, Windows};
use super::turns::{Indexed, Turn, Turns};
use crate::error::{Error, Reason, Result, Stage};
use crate::image::hex;

/// Where samples come from.
pub(super) enum Shards {
    /// Each sample's place is known.
    Indexed(Arc<Indexed>),
    /// They are read from front to back.
    Sequence(Sequence),
}

/// What reads an epoch.
pub(super) enum Reader {
    Turns(Fetcher<Turns>),
    Windows(Windows),
}

impl Reader {
    pub(super) fn next_within(&mut self, timeout: Duration) -> Poll<Turn> {
        match self {
            Self::Turns(fetcher) => fetcher.next_within(timeout),
            Self::Windows(windows) => windows.next_within(timeout),
        }
    }

    pub(super) fn waited(&self) -> Duration {
        match self {
            Self::Turns(fetcher) => fetcher.waited,
            Self::Windows(windows) => windows.waited,
        }
    }
}

impl Shards {
    pub(super) fn new(sources: Vec<(Opened, f64)>, options: &Options) -> Result<Self> {
        let is_mixture = sources.len() > 1;
        let mut catalogs = Vec::new();
        let mut weights = Vec::new();
        for (opened, weight) in sources {
            match opened {
                Opened::Indexed(catalog) => catalogs.push(catalog),
                Opened::Unindexed(locations, name) => {
                    let why = match options.deal.world_size {
                        _ if is_mixture => "a mixture",
                        1 => {
                            return Ok(Self::Sequence(Sequence {
                                locations: locations.into(),
                                store: options.store.clone(),
                                recipe: options.recipe,
                                seed: options.seed,
                            }));
                        }
                        _ => "more than one rank",
                    };
                    let detail =
                        format!("{why} needs an index: make one with `biomedica index`, and put it beside the shard");
                    return Err(Error::new(Stage::Open, Reason::NotFound, detail).in_source(name));
                }
            }
            weights.push(weight);
        }
        Ok(Self::Indexed(Arc::new(Indexed::new(catalogs, weights, options)?)))
    }

    /// What these shards are known by: their own names, so that they may be moved, and their numbers of samples; and of a
    /// selection, which ones.
    pub(super) fn fingerprint(&self) -> String {
        let mut known = Known(Sha256::new());
        match self {
            Self::Indexed(indexed) => {
                for (catalog, share) in indexed.catalogs.iter().zip(indexed.plan.shares()) {
                    known.add("", u64::from(share));
                    for shard in catalog.shards() {
                        known.add(shard.location(), shard.len() as u64);
                        if catalog.is_selected() {
                            known.add_places(shard);
                        }
                    }
                }
            }
            Self::Sequence(sequence) => sequence.locations.iter().for_each(|location| known.add(location, 0)),
        }
        hex(&known.0.finalize().into()).chars().take(32).collect()
    }
}

impl Indexed {
    fn new(catalogs: Vec<Catalog>, weights: Vec<f64>, options: &Options) -> Result<Self> {
        let catalogs = Arc::new(catalogs);
        let plan = plan(&catalogs, &weights, options)?;
        // Without shuffling, the samples of a run go to all ranks: each would fetch all of it.
        let is_shared = !options.recipe.shuffle && options.deal.world_size > 1;
        Ok(Self {
            catalogs,
            weights,
            plan,
            recipe: options.recipe,
            objects: Arc::new(Objects::new(options.store.clone())),
            is_remote: options.remote,
            kept: Kept::new(if is_shared { 0 } else { options.keep }),
        })
    }

    /// The same shards in another order.
    pub(super) fn with(&self, options: &Options) -> Result<Self> {
        Ok(Self {
            catalogs: Arc::clone(&self.catalogs),
            weights: self.weights.clone(),
            plan: plan(&self.catalogs, &self.weights, options)?,
            recipe: options.recipe,
            objects: Arc::clone(&self.objects),
            is_remote: options.remote,
            kept: Kept::new(options.keep),
        })
    }

    pub(super) fn is_local(&self) -> bool {
        let mut shards = self.catalogs.iter().flat_map(Catalog::shards);
        !self.is_remote && shards.all(|shard| !shard.location().contains("://"))
    }
}

/// What shards are known by, so far.
struct Known(Sha256);

impl Known {
    fn add(&mut self, location: &str, count: u64) {
        let path = location.split('?').next().unwrap_or_default();
        self.0.update(format!("{}\n{count}\n", path.rsplit('/').next().unwrap_or_default()));
    }

    fn add_places(&mut self, shard: &Shard) {
        shard.starts().for_each(|start| self.0.update(start.to_le_bytes()));
    }
}

fn plan(catalogs: &[Catalog], weights: &[f64], options: &Options) -> Result<Plan> {
    let counts = catalogs.iter().map(Catalog::counts);
    Plan::new(counts.zip(weights.iter().copied()).collect(), options.recipe, options.seed)
}
