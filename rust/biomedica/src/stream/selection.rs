//! The samples to take, by `image_id`: the name of a sample up to the first dot, without directories.
//!
//! The ids stay in the Arrow arrays that they came in, exact; a table of their places makes it about fifteen bytes more an
//! id, so that ten million are in reach of any machine.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, StringArray};
use hashbrown::HashTable;

use crate::error::{Error, Reason, Result, Stage};

/// Where an id is: its array, its row there.
type Place = (u32, u32);

/// A set of ids, and how many of them were found.
#[derive(Debug, Default)]
pub struct Selection {
    arrays: Vec<StringArray>,
    places: HashTable<Place>,
    hasher: RandomState,
    found: AtomicU64,
}

impl Selection {
    /// A selection of these ids; nulls are none.
    pub fn new(arrays: Vec<StringArray>) -> Result<Self> {
        let rows: usize = arrays.iter().map(Array::len).sum();
        let hasher = RandomState::new();
        let mut places: HashTable<Place> = HashTable::with_capacity(rows);
        for (number, array) in arrays.iter().enumerate() {
            for row in (0..array.len()).filter(|&row| array.is_valid(row)) {
                let (Ok(number), Ok(row)) = (u32::try_from(number), u32::try_from(row)) else {
                    return Err(Error::new(Stage::Open, Reason::TooLarge, "a selection of too many ids"));
                };
                let place = (number, row);
                let id = at(&arrays, place);
                let is_same = |&other: &Place| at(&arrays, other) == id;
                places
                    .entry(hasher.hash_one(id), is_same, |&other| hasher.hash_one(at(&arrays, other)))
                    .or_insert(place);
            }
        }
        Ok(Self { arrays, places, hasher, found: AtomicU64::new(0) })
    }

    /// Samples that were asked for and found in no shard so far.
    pub fn missing(&self) -> u64 {
        (self.places.len() as u64).saturating_sub(self.found.load(Ordering::Relaxed))
    }

    /// Whether it has the sample of this key, which is counted as found.
    fn has(&self, key: &str) -> bool {
        let id = key.rsplit('/').next().unwrap_or(key);
        let is_in = self.places.find(self.hasher.hash_one(id), |&place| at(&self.arrays, place) == id).is_some();
        self.found.fetch_add(u64::from(is_in), Ordering::Relaxed);
        is_in
    }
}

/// Which samples are taken.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Only these; all when there is none.
    pub only: Option<&'a Selection>,
    /// Not these.
    pub but: Option<&'a Selection>,
}

impl Wanted<'_> {
    /// Whether samples are chosen at all.
    pub(super) fn is_some(self) -> bool {
        self.only.is_some() || self.but.is_some()
    }

    /// Whether the sample of this key is taken.
    pub(super) fn has(self, key: &str) -> bool {
        self.only.is_none_or(|only| only.has(key)) && !self.but.is_some_and(|but| but.has(key))
    }
}

fn at(arrays: &[StringArray], (array, row): Place) -> &str {
    arrays.get(array as usize).map_or("", |array| array.value(row as usize))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn selection(arrays: &[&[Option<&str>]]) -> Selection {
        Selection::new(arrays.iter().map(|ids| ids.iter().copied().collect()).collect()).unwrap()
    }

    #[test]
    fn ids_are_found_in_any_array_and_counted_once() {
        let selection = selection(&[&[Some("a"), None, Some("b")], &[], &[Some("c"), Some("a")]]);
        assert_eq!(selection.missing(), 3);
        assert!(selection.has("a") && selection.has("folder/c"));
        assert!(!selection.has("") && !selection.has("a/d"));
        assert_eq!(selection.missing(), 1);
    }

    #[test]
    fn a_selection_of_nothing_has_nothing() {
        let selection = selection(&[]);
        assert!(!selection.has("a"));
        assert_eq!(selection.missing(), 0);
    }

    #[test]
    fn what_is_excluded_is_not_taken_though_it_is_selected() {
        let (only, but) = (selection(&[&[Some("a"), Some("b")]]), selection(&[&[Some("b"), Some("c")]]));
        let wanted = Wanted { only: Some(&only), but: Some(&but) };
        assert_eq!(["a", "x/b", "c", "d"].map(|key| wanted.has(key)), [true, false, false, false]);
        assert_eq!(only.missing(), 0);
        let wanted = Wanted { but: Some(&but), ..Wanted::default() };
        assert_eq!(["a", "x/b", "c", "d"].map(|key| wanted.has(key)), [true, false, false, true]);
        assert!(wanted.is_some() && !Wanted::default().is_some());
    }

    #[test]
    fn many_ids_are_all_in_it_and_no_others() {
        let ids: Vec<String> = (0..50_000).map(|n| format!("PMC{n}_0001")).collect();
        let halves = ids.chunks(25_000).map(StringArray::from_iter_values).collect();
        let selection = Selection::new(halves).unwrap();
        assert!(ids.iter().all(|id| selection.has(id)));
        assert_eq!(selection.missing(), 0);
        assert!((50_000..60_000).all(|n| !selection.has(&format!("PMC{n}_0001"))));
    }
}
