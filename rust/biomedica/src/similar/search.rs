//! Which of millions of hashes differ from one in few bits: multi-index hashing.
//!
//! Norouzi, Punjani and Fleet, "Fast search in Hamming space with multi-index hashing" (2012). A hash is cut into three
//! pieces, and a table for each piece has all hashes in its order. When two hashes differ in at most `t` bits, one of
//! their pieces differs in at most `t / 3` (and only `t % 3 + 1` of the pieces need be looked at that far, the others one
//! bit less). So it is enough to look, in each table, at the few hashes whose piece is that near.

use super::phash::variants;

/// The largest threshold. Images that differ more have nothing to do with each other.
pub const MAX_THRESHOLD: u32 = 16;
/// Where the pieces begin, and how many bits they have.
const PIECES: [(u32, u32); 3] = [(0, 22), (22, 21), (43, 21)];
/// Up to so many hashes are compared one by one, which costs less than tables.
const FEW: usize = 4096;

/// Hashes to be searched, twelve bytes each in three tables, and 64 MiB.
pub struct Search<'a> {
    hashes: &'a [u64],
    threshold: u32,
    tables: Vec<Table>,
}

/// All hashes in the order of one of their pieces.
struct Table {
    first: u32,
    bits: u32,
    /// Where the hashes with each value of the piece begin; one more than there are values.
    starts: Vec<u32>,
    hashes: Vec<u64>,
    /// Which they are.
    numbers: Vec<u32>,
    /// The differences of a piece that are looked at.
    masks: Vec<u32>,
}

impl<'a> Search<'a> {
    /// Prepares to find those of `hashes` that differ from others in at most `threshold` bits.
    pub fn new(hashes: &'a [u64], threshold: u32) -> Self {
        let threshold = threshold.min(MAX_THRESHOLD);
        let tables = (0_u32..).zip(PIECES).map(|(number, (first, bits))| {
            let near = threshold / 3;
            // None at all where even an equal piece would be one bit too far.
            let masks = if number <= threshold % 3 {
                masks(bits, near)
            } else {
                near.checked_sub(1).map_or_else(Vec::new, |near| masks(bits, near))
            };
            (first, bits, masks)
        });
        let tables: Vec<_> = tables.collect();
        let looks: usize = tables.iter().map(|(_, _, masks)| masks.len()).sum();
        let is_few = hashes.len() <= FEW || looks >= hashes.len();
        let tables = if is_few { Vec::new() } else { tables };
        let tables = tables.into_iter().map(|(first, bits, masks)| Table::new(hashes, first, bits, masks)).collect();
        Self { hashes, threshold, tables }
    }

    /// Adds to `found` the number of each hash that differs from `hash`, turned and mirrored in any way, in at most as
    /// many bits as was said, with the least of its distances. Each once, by number.
    pub fn near(&self, hash: u64, found: &mut Vec<(u32, u8)>) {
        for hash in variants(hash) {
            let mut add = |number: u32, other: u64| {
                let distance = (hash ^ other).count_ones();
                if distance <= self.threshold {
                    found.push((number, u8::try_from(distance).unwrap_or(u8::MAX)));
                }
            };
            if self.tables.is_empty() {
                (0..).zip(self.hashes).for_each(|(number, &other)| add(number, other));
            }
            for table in &self.tables {
                let piece = table.piece(hash);
                for mask in &table.masks {
                    let value = (piece ^ mask) as usize;
                    let (start, end) = (table.starts[value] as usize, table.starts[value + 1] as usize);
                    for (&number, &other) in table.numbers[start..end].iter().zip(&table.hashes[start..end]) {
                        add(number, other);
                    }
                }
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|(number, _)| *number);
    }
}

impl Table {
    fn new(hashes: &[u64], first: u32, bits: u32, masks: Vec<u32>) -> Self {
        let mut table = Self {
            first,
            bits,
            starts: vec![0; (1 << bits) + 1],
            hashes: vec![0; hashes.len()],
            numbers: vec![0; hashes.len()],
            masks,
        };
        for &hash in hashes {
            let value = table.piece(hash) as usize;
            table.starts[value + 1] += 1;
        }
        for value in 0..1 << bits {
            table.starts[value + 1] += table.starts[value];
        }
        let mut places = table.starts.clone();
        for (number, &hash) in (0_u32..).zip(hashes) {
            let place = &mut places[table.piece(hash) as usize];
            table.hashes[*place as usize] = hash;
            table.numbers[*place as usize] = number;
            *place += 1;
        }
        table
    }

    #[allow(clippy::cast_possible_truncation)] // at most 22 bits
    fn piece(&self, hash: u64) -> u32 {
        (hash >> self.first) as u32 & ((1 << self.bits) - 1)
    }
}

/// All numbers of `bits` bits of which at most `most` are set.
fn masks(bits: u32, most: u32) -> Vec<u32> {
    let mut all = vec![0];
    let mut last = vec![0_u32];
    for _ in 0..most {
        // Each with one more, above the highest that it has.
        last = last
            .iter()
            .flat_map(|&mask| (u32::BITS - mask.leading_zeros()..bits).map(move |bit| mask | 1 << bit))
            .collect();
        all.extend_from_slice(&last);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::phash::distance;
    use super::*;

    /// Hashes in families that differ in few bits, in any turn.
    fn families(count: usize) -> Vec<u64> {
        let mut state = 1_u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state ^ state >> 29
        };
        let mut hashes: Vec<u64> = Vec::new();
        for number in 0..count {
            let mut hash = random();
            if number % 3 != 0 {
                hash = variants(hashes[number - 1])[usize::try_from(random() % 8).unwrap_or(0)];
                for _ in 0..random() % 8 {
                    hash ^= 1 << (random() >> 7 & 63);
                }
            }
            hashes.push(hash & !1);
        }
        hashes
    }

    #[test]
    fn tables_find_what_comparing_one_by_one_finds() {
        let hashes = families(2 * FEW);
        for threshold in [0, 1, 2, 4, 6, 8, 10] {
            let search = Search::new(&hashes, threshold);
            assert!(!search.tables.is_empty());
            let mut some = 0;
            for &hash in hashes.iter().step_by(97) {
                let mut found = Vec::new();
                search.near(hash, &mut found);
                let expected: Vec<_> = (0..)
                    .zip(&hashes)
                    .map(|(number, &other)| (number, distance(hash, other)))
                    .filter(|(_, distance)| *distance <= threshold)
                    .collect();
                some += expected.len();
                let found: Vec<_> = found.into_iter().map(|(number, distance)| (number, distance.into())).collect();
                assert_eq!(found, expected, "threshold {threshold}");
            }
            assert!(some > hashes.len() / 97);
        }
    }

    #[test]
    fn masks_have_each_number_once() {
        let mut all = masks(21, 3);
        assert_eq!(all.len(), 1 + 21 + 210 + 1330);
        assert!(all.iter().all(|mask| mask.count_ones() <= 3 && *mask < 1 << 21));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1562);
    }
}
