//! Who may write a dataset: one process at a time.
//!
//! In a directory that is a lock of the system on `.lock`, which ends with its process. In a store it is the object
//! `.lock`, made on condition that there is none. Its owner writes it anew every half minute; after five minutes without
//! a sign of life, or at once where the owner was a process of this very machine that is no more, another one takes it
//! over. An owner that finds its lock taken over stops. Both hold the run's name, so that whoever made a part for a run
//! that has ended, perhaps on another machine, can tell (`check_run`). Ages are told by this machine's clock against the store's, which
//! must not differ by minutes. A store that knows no conditions is written unguarded, as is a file system without locks.

use std::fs::{File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use serde::{Deserialize, Serialize};

use super::file::at;
use super::root::Root;
use crate::error::{Error, Reason, Result, Stage};
use crate::store::{self, StoreOptions, Version};

pub(super) const LOCK: &str = ".lock";
/// Locked while files get their names.
pub(super) const PUBLISH: &str = ".publish";
const BEAT: Duration = Duration::from_secs(30);
const STALE: Duration = Duration::from_mins(5);
/// How long giving it back may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// Others may be faster now and then, but not always.
const MAX_TRIES: usize = 5;
const MAX_LOCK: u64 = 1 << 16;

/// The right to write below a root, until it is dropped.
#[derive(Debug)]
pub struct Lock(Kind);

#[derive(Debug)]
enum Kind {
    Directory(Held),
    Store(Lease),
    Unguarded,
}

/// A lock of the system, on a file that names the run.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    token: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        // The run has ended. A name that stays does no harm: the next run writes its own.
        let _ = self.file.set_len(0);
    }
}

/// The right to give files their names and to take files out. In stores nobody has it alone: there, two that publish
/// the same part write the same objects.
#[derive(Debug)]
pub(super) struct Publishing(#[allow(dead_code, reason = "holds the lock of the system")] Option<File>);

impl Publishing {
    /// Waits for whoever has it, which is not long.
    pub(super) fn take(root: &Root) -> Result<Self> {
        let Some(directory) = root.directory() else { return Ok(Self(None)) };
        let path = directory.join(PUBLISH);
        let file = at(&path, File::options().create(true).truncate(false).write(true).open(&path))?;
        match file.lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Self(None)),
            Err(error) => at(&path, Err(error)),
        }
    }
}

/// Fails when `run` is not the one that holds the dataset's lock. None is a run where locks are not known.
pub(super) fn check_run(root: &Root, run: Option<&str>) -> Result<()> {
    let Some(run) = run else { return Ok(()) };
    let there = root.read(LOCK)?.unwrap_or_default();
    let is_same = match root.directory() {
        Some(_) => there == run.as_bytes(),
        None => serde_json::from_slice(&there).is_ok_and(|owner: Owner| owner.token == run),
    };
    if is_same {
        return Ok(());
    }
    let detail = "the run that this part was made for has ended, or another one has taken over; nothing was changed";
    Err(refuse(&root.location(""), detail))
}

/// What the object says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Owner {
    /// No two owners have the same.
    token: String,
    /// Which machine, and which of its namespaces of processes.
    machine: String,
    process: u32,
    /// Signs of life so far.
    beat: u64,
}

impl Lock {
    /// Takes it at once, or is refused ([`Reason::Locked`]) while another process has it.
    pub fn take(root: &Root) -> Result<Self> {
        let held = match (root.directory(), root.options()) {
            (Some(directory), _) => lock_directory(root, directory),
            (None, Some(options)) => lock_prefix(root, options),
            (None, None) => Ok(Kind::Unguarded),
        };
        held.map(Self)
    }

    /// The run that holds it; none where locks are not known.
    pub(super) fn run(&self) -> Option<&str> {
        match &self.0 {
            Kind::Directory(held) => Some(&held.token),
            Kind::Store(lease) => Some(&lease.token),
            Kind::Unguarded => None,
        }
    }

    /// Fails when another process has taken the lock over.
    pub(super) fn check(&self) -> Result<()> {
        match &self.0 {
            Kind::Store(lease) if lease.is_lost.load(Ordering::Relaxed) => Err(refuse(
                &lease.location,
                "another process has taken over the writing of this dataset, as this one gave no sign of life for minutes",
            )),
            _ => Ok(()),
        }
    }
}

fn lock_directory(root: &Root, directory: &Path) -> Result<Kind> {
    let path = directory.join(LOCK);
    let file = at(&path, File::options().create(true).truncate(false).write(true).open(&path))?;
    match file.try_lock() {
        Ok(()) => {
            // Whoever publishes for an earlier run is through with it, or finds the new name.
            let _publishing = Publishing::take(root)?;
            let mut held = Held { file, token: token() };
            let named = held.file.set_len(0).and_then(|()| held.file.write_all(held.token.as_bytes()));
            at(&path, named.and_then(|()| held.file.sync_data()))?;
            Ok(Kind::Directory(held))
        }
        // A file system without locks: better to write unguarded than not at all.
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(Kind::Unguarded),
        Err(TryLockError::WouldBlock) => Err(refuse(
            &directory.to_string_lossy(),
            "another process is writing this dataset; wait for its end, or choose another output directory",
        )),
        Err(TryLockError::Error(e)) => Err(Error::io(Stage::Write, &e).at_path(&path)),
    }
}

fn lock_prefix(root: &Root, options: &StoreOptions) -> Result<Kind> {
    let location = root.location(LOCK);
    let owner = Owner::this();
    // The lock is given back also by a run that was stopped.
    let own = StoreOptions { stop: Arc::default(), ..options.clone() };
    let mut over = None;
    for _ in 0..MAX_TRIES {
        match store::put_if(&location, owner.to_bytes(), over.as_ref(), options) {
            Ok(Some(version)) => return Ok(Kind::Store(Lease::begin(location, owner, version, own))),
            Ok(None) => {}
            Err(error) if error.reason() == Reason::UnsupportedFormat => return Ok(Kind::Unguarded),
            Err(error) => return Err(error),
        }
        let pending = store::fetch(&location, options, MAX_LOCK)?;
        let there = match pending.wait(&options.stop) {
            Ok(there) => there,
            // Given back in the meantime.
            Err(error) if error.reason() == Reason::NotFound => {
                over = None;
                continue;
            }
            Err(error) => return Err(error.in_stage(Stage::Write)),
        };
        let other: Option<Owner> = serde_json::from_slice(&there.bytes).ok();
        if other.as_ref() == Some(&owner) {
            // It is ours: only the store's answer was lost.
            return Ok(Kind::Store(Lease::begin(location, owner, there.version(), own)));
        }
        let age = there.modified.and_then(|then| (Utc::now() - then).to_std().ok()).unwrap_or_default();
        if !is_free(other.as_ref(), age, &owner) {
            let detail = format!(
                "another process is writing this dataset ({}, last sign of life {} seconds ago); wait for its end, or \
                 choose another output. A lock without a sign of life for five minutes is taken over",
                other.map_or_else(|| "which one is not known".to_owned(), |other| format!("number {}", other.process)),
                age.as_secs(),
            );
            return Err(refuse(&root.location(""), &detail));
        }
        over = Some(there.version());
    }
    Err(refuse(&root.location(""), "other processes are fighting for this dataset's lock; try again later"))
}

/// Whether `this` may take over the lock of `other`, which was last written so long ago.
fn is_free(other: Option<&Owner>, age: Duration, this: &Owner) -> bool {
    age >= STALE || other.is_some_and(|other| other.is_dead(this))
}

impl Owner {
    fn this() -> Self {
        Self { token: token(), machine: machine(), process: std::process::id(), beat: 0 }
    }

    /// Whether it was a process of the machine of `this` and is no more.
    fn is_dead(&self, this: &Self) -> bool {
        !self.machine.is_empty()
            && self.machine == this.machine
            && self.process != this.process
            && !Path::new("/proc").join(self.process.to_string()).exists()
    }

    fn to_bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// A name that no other run has.
fn token() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// This boot of this machine, and the namespace in which a process's number means something; empty where that is not
/// to be known.
pub(super) fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok();
    let both = boot.zip(namespace).map(|(boot, space)| format!("{} {}", boot.trim(), space.display()));
    both.unwrap_or_default()
}

/// A lock in a store, kept alive by a thread.
#[derive(Debug)]
struct Lease {
    location: String,
    token: String,
    is_lost: Arc<AtomicBool>,
    end: Option<Sender<()>>,
    /// Disconnected when the lock is given back.
    ended: Receiver<()>,
    /// Ends what the thread waits for.
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lease {
    fn begin(location: String, owner: Owner, version: Version, options: StoreOptions) -> Self {
        let token = owner.token.clone();
        let is_lost = Arc::new(AtomicBool::new(false));
        let (end, until) = channel();
        let (alive, ended) = channel();
        let (lost, at, stop) = (Arc::clone(&is_lost), location.clone(), Arc::clone(&options.stop));
        let thread = std::thread::spawn(move || {
            let _alive: Sender<()> = alive;
            let (mut owner, mut version) = (owner, version);
            while until.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                let next = Owner { beat: owner.beat + 1, ..owner.clone() };
                match store::put_if(&at, next.to_bytes(), Some(&version), &options) {
                    Ok(Some(newer)) => (owner, version) = (next, newer),
                    // Another's, or ours after an answer that was lost.
                    Ok(None) => match is_there(&at, &options) {
                        Some((there, newer)) if there == next => (owner, version) = (next, newer),
                        Some((there, newer)) if there == owner => version = newer,
                        _ => {
                            lost.store(true, Ordering::Relaxed);
                            return;
                        }
                    },
                    // The store is away; whether the lock has been taken over shows when it is back.
                    Err(_) => {}
                }
            }
            // Only what is ours still.
            if is_there(&at, &options).is_some_and(|(there, _)| there.token == owner.token) {
                let _ = store::delete(&at, &options);
            }
        });
        Self { location, token, is_lost, end: Some(end), ended, stop, thread: Some(thread) }
    }
}

fn is_there(location: &str, options: &StoreOptions) -> Option<(Owner, Version)> {
    let there = store::fetch(location, options, MAX_LOCK).and_then(|pending| pending.wait(&options.stop)).ok()?;
    Some((serde_json::from_slice(&there.bytes).ok()?, there.version()))
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.end = None;
        // A store that is gone takes nothing back.
        let _ = self.ended.recv_timeout(FAREWELL);
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends by itself; a panic there has been shown already.
            let _ = thread.join();
        }
    }
}

fn refuse(location: &str, detail: &str) -> Error {
    Error::new(Stage::Write, Reason::Locked, detail).in_source(location)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_when_it_is_stale_or_its_owner_is_known_to_be_dead() {
        let this = Owner { token: "1".into(), machine: "m".into(), process: std::process::id(), beat: 0 };
        let owner = |machine: &str, process| Owner { machine: machine.into(), process, ..this.clone() };
        let (fresh, old) = (Duration::from_secs(299), STALE);
        for (other, age, free) in [
            (Some(owner("m", u32::MAX)), fresh, true),
            (Some(owner("m", 1)), fresh, false),
            (Some(owner("other", u32::MAX)), fresh, false),
            (Some(owner("other", u32::MAX)), old, true),
            (Some(owner("m", 1)), old, true),
            // What cannot be read is somebody's until it is old.
            (None, fresh, false),
            (None, old, true),
        ] {
            assert_eq!(is_free(other.as_ref(), age, &this), free, "{other:?} {age:?}");
        }
        let nowhere = Owner { machine: String::new(), ..this.clone() };
        assert!(!is_free(Some(&owner("", u32::MAX)), fresh, &nowhere), "machines that are not known differ");
    }
}
