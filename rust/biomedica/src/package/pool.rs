//! Large buffers that come back when their last reader lets go of them.
//!
//! A fresh buffer for each package costs a page fault for each 4 KiB, a tenth of the time that inflating takes. The
//! bytes leave as [`Buffer`]s that others hold for as long as they like, so each carries the way home with it.

use std::sync::{Arc, Mutex, Weak};

use arrow_buffer::Buffer;
use bytes::Bytes;

/// Idle buffers kept at most.
const IDLE: usize = 4;
/// Bytes kept idle at most.
const IDLE_BYTES: usize = 64 << 20;

type Idle = Mutex<Vec<Vec<u8>>>;

#[derive(Debug, Default)]
pub(super) struct Pool(Arc<Idle>);

/// A buffer on loan.
struct Loan {
    bytes: Vec<u8>,
    home: Weak<Idle>,
}

impl Pool {
    /// A buffer of `len` bytes as `fill` left them, cut to the length that it gives; none when it gives none.
    pub(super) fn fill(&self, len: usize, fill: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<Buffer> {
        let mut loan = Loan { bytes: self.idle(len), home: Arc::downgrade(&self.0) };
        if loan.bytes.len() < len {
            loan.bytes.resize(len, 0);
        }
        let filled = fill(loan.bytes.get_mut(..len)?)?.min(len);
        Some(Buffer::from(Bytes::from_owner(loan)).slice_with_length(0, filled))
    }

    /// The smallest idle buffer that holds `len`, else a new one.
    fn idle(&self, len: usize) -> Vec<u8> {
        let Ok(mut idle) = self.0.lock() else { return Vec::new() };
        let fits = idle.iter().enumerate().filter(|(_, bytes)| bytes.len() >= len);
        match fits.min_by_key(|(_, bytes)| bytes.len()).map(|(at, _)| at) {
            Some(at) => idle.swap_remove(at),
            // From zeroed pages, not a copy of an old buffer into a larger one.
            None => vec![0; len],
        }
    }
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(home) = self.home.upgrade() else { return };
        let Ok(mut idle) = home.lock() else { return };
        idle.push(std::mem::take(&mut self.bytes));
        // The smallest goes: a large one serves small packages too.
        while idle.len() > IDLE || idle.iter().map(Vec::len).sum::<usize>() > IDLE_BYTES {
            let Some(smallest) = (0..idle.len()).min_by_key(|&at| idle.get(at).map_or(0, Vec::len)) else { return };
            idle.swap_remove(smallest);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_is_dropped() {
        let pool = Pool::default();
        let buffer = pool.fill(1000, |bytes| Some(bytes.len())).unwrap();
        let slice = buffer.slice_with_length(10, 5);
        let place = buffer.as_ptr();
        drop(buffer);
        assert_eq!(pool.0.lock().unwrap().len(), 0);
        drop(slice);
        assert_eq!(pool.0.lock().unwrap().len(), 1);
        let again = pool.fill(900, |bytes| Some(bytes.len())).unwrap();
        assert_eq!((again.as_ptr(), again.len()), (place, 900));
    }

    #[test]
    fn idle_buffers_are_bounded() {
        let pool = Pool::default();
        let many: Vec<_> = (1..=10).map(|len| pool.fill(len, |_| Some(len)).unwrap()).collect();
        drop(many);
        assert_eq!(pool.0.lock().unwrap().len(), IDLE);
        drop(pool.fill(IDLE_BYTES + 1, |_| Some(1)).unwrap());
        assert!(pool.0.lock().unwrap().iter().map(Vec::len).sum::<usize>() <= IDLE_BYTES);
    }

    #[test]
    fn a_buffer_outlives_its_pool() {
        let pool = Pool::default();
        let buffer = pool
            .fill(3, |bytes| {
                bytes.copy_from_slice(b"abc");
                Some(3)
            })
            .unwrap();
        drop(pool);
        assert_eq!(&*buffer, b"abc");
    }
}
