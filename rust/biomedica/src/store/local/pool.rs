//! Buffers that are used again: what reads of files cost besides the copy is the clearing of fresh memory.
//!
//! A buffer comes back when the last view of its bytes is dropped, wherever that is. Few bytes are kept, the last used
//! first, so that they are mostly still in the processor's cache.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Bytes of buffers that wait to be used again: as many as a stream reads ahead, so that its next epoch finds them.
const MAX_KEPT: usize = 64 << 20;
/// Below this, clearing costs nothing.
const SMALLEST: usize = 16 << 10;

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), kept: 0 });

struct Pool {
    free: Vec<Vec<u8>>,
    kept: usize,
}

/// A buffer of at least the length that was asked for, with bytes of former use in it.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
}

impl Buffer {
    pub(super) fn new(len: usize) -> Self {
        // Four sizes to each doubling: at most a fifth is wasted, and another length finds it too.
        let step = (len.next_power_of_two() / 8).max(1);
        let size = len.next_multiple_of(step);
        let found = (len >= SMALLEST).then(|| pool().take(size)).flatten();
        Self { bytes: found.unwrap_or_else(|| vec![0; size]), len }
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if self.len >= SMALLEST {
            pool().give_back(bytes);
        }
    }
}

impl Pool {
    /// The buffer that was used last of those that are large enough, and not twice as large.
    fn take(&mut self, size: usize) -> Option<Vec<u8>> {
        let index = self.free.iter().rposition(|bytes| (size..2 * size).contains(&bytes.len()))?;
        let bytes = self.free.remove(index);
        self.kept -= bytes.len();
        Some(bytes)
    }

    fn give_back(&mut self, bytes: Vec<u8>) {
        if bytes.len() > MAX_KEPT {
            return;
        }
        self.kept += bytes.len();
        self.free.push(bytes);
        // The oldest go: sizes that nobody asks for any more.
        let mut oldest = 0;
        while self.kept > MAX_KEPT {
            self.kept -= self.free.get(oldest).map_or(0, Vec::len);
            oldest += 1;
        }
        self.free.drain(..oldest.min(self.free.len()));
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_has_the_length_that_was_asked_for_whatever_its_size() {
        for len in [0, 1, 511, 16 << 10, (16 << 10) + 1, 100_000, 1_000_000] {
            let mut buffer = Buffer::new(len);
            buffer.as_mut().fill(7);
            assert!(buffer.bytes.len() - len <= len / 4);
            let bytes = buffer.freeze();
            assert_eq!(bytes.len(), len);
            assert!(bytes.iter().all(|&byte| byte == 7));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut pool = Pool { free: Vec::new(), kept: 0 };
        for n in 0..100 {
            pool.give_back(vec![0; (1 << 20) + n]);
        }
        assert!(pool.kept <= MAX_KEPT);
        assert_eq!(pool.kept, pool.free.iter().map(Vec::len).sum::<usize>());
        assert_eq!(pool.take(1 << 20).map(|bytes| bytes.len()), Some((1 << 20) + 99), "the last is the first to go");
        assert!(pool.take(1 << 21).is_none(), "too small");
        assert!(pool.take(1 << 19).is_none(), "twice as large");
        pool.give_back(vec![0; MAX_KEPT + 1]);
        assert!(pool.kept <= MAX_KEPT);
    }
}
