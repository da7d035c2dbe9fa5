//! How much memory packages may take that were fetched and not read yet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Memory for what is fetched, shared by units of packages that are read in the order of their numbers.
///
/// When it is full, only the unit that is read next is given more. So the others wait for it, never it for them.
#[derive(Debug, Clone)]
pub struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    max_bytes: u64,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: u64,
    front: u64,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(max_bytes: u64) -> Self {
        Self(Arc::new(Inner { max_bytes, state: Mutex::default(), changed: Notify::new() }))
    }

    /// What the unit `number` takes of it.
    pub fn claim(&self, number: u64) -> Claim {
        Claim { room: self.clone(), number, held: AtomicU64::new(0) }
    }

    /// Says which unit is read next.
    pub fn set_front(&self, number: u64) {
        self.lock().front = number;
        self.0.changed.notify_waiters();
    }

    /// Bytes that are taken.
    pub fn held(&self) -> u64 {
        self.lock().held
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one unit takes of a [`Room`], until it is dropped.
#[derive(Debug)]
pub struct Claim {
    room: Room,
    number: u64,
    held: AtomicU64,
}

impl Claim {
    /// Waits until there is room for `bytes` more, and takes it. With 0 it waits until the room is not full.
    pub(super) async fn admit(&self, bytes: u64) {
        loop {
            // Made before the look: what changes after the look wakes it.
            let changed = self.room.0.changed.notified();
            if self.take(bytes) {
                return;
            }
            changed.await;
        }
    }

    fn take(&self, bytes: u64) -> bool {
        let mut state = self.room.lock();
        let max_bytes = self.room.0.max_bytes;
        // What is larger than the room by itself waits until it is read next.
        let has_room = state.held < max_bytes && state.held.saturating_add(bytes) <= max_bytes;
        if !has_room && self.number > state.front {
            return false;
        }
        state.held = state.held.saturating_add(bytes);
        self.held.fetch_add(bytes, Ordering::Relaxed);
        true
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let held = self.held.load(Ordering::Relaxed);
        let mut state = self.room.lock();
        state.held = state.held.saturating_sub(held);
        drop(state);
        self.room.0.changed.notify_waiters();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn when_it_is_full_only_the_next_unit_is_given_more() {
        let room = Room::new(100);
        let (first, second) = (room.claim(0), room.claim(1));
        assert!(second.take(90));
        assert!(!second.take(20) && second.take(10) && !second.take(0));
        assert!(first.take(1000), "else what was fetched ahead could keep it from being read");
        assert_eq!(room.held(), 1100);
        drop(first);
        assert!(!second.take(1));
        room.set_front(1);
        assert!(second.take(1));
        drop(second);
        assert_eq!(room.held(), 0);
    }

    #[test]
    fn who_waits_goes_on_when_there_is_room() {
        let room = Room::new(10);
        let (first, second) = (room.claim(0), room.claim(1));
        assert!(first.take(10));
        let waiting = crate::store::Pending::start(async move {
            second.admit(5).await;
            Ok(second)
        });
        drop(first);
        let second = waiting.unwrap().wait(&std::sync::atomic::AtomicBool::new(false)).unwrap();
        assert_eq!((room.held(), second.held.load(Ordering::Relaxed)), (5, 5));
    }
}
