//! Reads the members of a tar, whether it lies in memory or streams in.
//!
//! One walk over the headers serves both: a [`Source`] hands out a member's bytes, as a slice of the buffer that holds
//! the whole tar, or read into a buffer of their own. So both ways give the same members and the same failures.

use std::ops::ControlFlow::{self, Break, Continue};

use super::file::{File, Role, too_large};
use super::header::{BLOCK, Header, Kind, Pax, text};
use super::stream::Source;
use crate::error::{Error, Reason, Result, Stage};
use crate::limits::Limits;

/// Members of one tar looked at, skipped ones included.
pub(super) const MAX_MEMBERS: usize = 1 << 22;
/// Bytes of PAX records or of a long name.
const MAX_META: u64 = 1 << 20;
/// Bytes of a member's path, as Linux has it.
const MAX_PATH: usize = 4096;
/// Directories in a member's path.
pub(super) const MAX_DEPTH: usize = 64;

/// What a walk over a tar meets: files worth keeping, and members that cannot be read.
pub(super) type Visit<'a> = &'a mut dyn FnMut(Result<File>) -> ControlFlow<()>;

/// Visits the members in order. An error is a fault of the tar as a whole, after which nothing can be read.
pub(super) fn read<S: Source>(source: &mut S, limits: &Limits, visit: Visit<'_>) -> Result<ControlFlow<()>> {
    let mut meta = Meta::default();
    let mut block = [0; BLOCK];
    let mut zero_blocks = 0;
    let mut count = 0;
    loop {
        let offset = source.position();
        let filled = source.block(&mut block)?;
        if filled == 0 {
            return Ok(Continue(()));
        }
        let header = match (filled == BLOCK).then(|| Header::parse(&block)) {
            Some(Ok(None)) => {
                zero_blocks += 1;
                continue;
            }
            Some(Ok(Some(header))) => header,
            // Two blocks of zeros end a tar; another tar may follow, and what is no tar there is none of ours. It is
            // read nevertheless: only then is the compressed stream known to be whole.
            _ if zero_blocks >= 2 => {
                source.drain()?;
                return Ok(Continue(()));
            }
            Some(Err(what)) => return Err(corrupt(what).at_offset(offset)),
            None => return Err(truncated("the tar ends within a header").at_offset(offset)),
        };
        zero_blocks = 0;
        count += 1;
        if count > MAX_MEMBERS {
            let detail = format!("more than {MAX_MEMBERS} members; the rest is not read");
            return Err(Error::new(Stage::Tar, Reason::TooLarge, detail).at_offset(offset));
        }
        // The map of an old GNU sparse file can go on in blocks of its own, before the data.
        let mut has_more = header.is_extended;
        while has_more {
            has_more = source.block(&mut block)? == BLOCK && Header::is_map_extended(&block);
        }
        let Some(member) = meta.apply(source, header).map_err(|error| error.at_offset(offset))? else { continue };
        let lost = truncated("the tar ends within this member").at_offset(offset);
        let step = match accept(&member, limits) {
            Ok(Some(path)) => {
                let name = path.clone();
                let bytes = source.take(member.size, lost).map_err(|error| error.in_member(name))?;
                visit(Ok(File::in_memory(path, bytes)))
            }
            Ok(None) => {
                source.skip(member.size, lost).map_err(|error| error.in_member(member.name()))?;
                Continue(())
            }
            Err(error) => {
                let step = visit(Err(error.in_member(member.name()).at_offset(offset)));
                if step.is_continue() {
                    source.skip(member.size, lost).map_err(|error| error.in_member(member.name()))?;
                }
                step
            }
        };
        if step.is_break() {
            return Ok(Break(()));
        }
        source.pad(member.size)?;
    }
}

/// A member as its own header and those before it describe it.
struct Member {
    kind: Kind,
    path: Vec<u8>,
    size: u64,
    broken: Option<Error>,
}

impl Member {
    fn name(&self) -> String {
        String::from_utf8_lossy(self.path.get(..MAX_PATH).unwrap_or(&self.path)).into_owned()
    }
}

/// What headers said of the members that follow them.
#[derive(Default)]
struct Meta {
    global: Pax,
    next: Pax,
    long_name: Option<Vec<u8>>,
    broken: Option<Error>,
}

impl Meta {
    /// Takes in a header that describes others, or completes the member that `header` begins.
    fn apply<S: Source>(&mut self, source: &mut S, header: Header) -> Result<Option<Member>> {
        let Header { kind, name, size, .. } = header;
        match kind {
            Kind::LongName | Kind::Pax | Kind::GlobalPax => {
                if size > MAX_META {
                    self.broken = Some(too_large(Stage::Tar, MAX_META));
                    source.skip(size, truncated("the tar ends within a member's name"))?;
                } else {
                    let body = source.take(size, truncated("the tar ends within a member's name"))?;
                    self.take_in(kind, &body);
                }
                source.pad(size)?;
                Ok(None)
            }
            Kind::LongLink | Kind::Label => {
                source.skip(size, truncated("the tar ends within a link's name"))?;
                source.pad(size)?;
                Ok(None)
            }
            Kind::File | Kind::Directory | Kind::Unsupported(_) => {
                let own = std::mem::take(&mut self.next);
                let long_name = self.long_name.take();
                let path = own.path.or(long_name).or_else(|| self.global.path.clone()).unwrap_or(name);
                // Old tars know a directory by its name alone. A long name is cut in its header, maybe after a `/`.
                let kind = if kind == Kind::File && path.ends_with(b"/") { Kind::Directory } else { kind };
                let has_data = kind == Kind::File || size > 0;
                let is_sparse = kind == Kind::File && (own.sparse || self.global.sparse);
                let kind = if is_sparse { Kind::Unsupported("a sparse file") } else { kind };
                let size = own.size.or(self.global.size).filter(|_| has_data).unwrap_or(size);
                Ok(Some(Member { kind, path, size, broken: self.broken.take() }))
            }
        }
    }

    fn take_in(&mut self, kind: Kind, body: &[u8]) {
        if kind == Kind::LongName {
            self.long_name = Some(text(body).to_vec());
            return;
        }
        let pax = if kind == Kind::Pax { &mut self.next } else { &mut self.global };
        if pax.read(body).is_none() {
            self.broken = Some(corrupt("its PAX records are broken"));
        }
    }
}

/// The path under which a member is kept; none when it is of no use; an error when it cannot be used.
fn accept(member: &Member, limits: &Limits) -> Result<Option<String>> {
    if member.kind == Kind::Directory {
        return Ok(None);
    }
    if let Some(error) = &member.broken {
        return Err(Error::new(Stage::Tar, error.reason(), error.detail()));
    }
    let path = clean(&member.path)?;
    if let Kind::Unsupported(what) = member.kind {
        return Err(Error::new(Stage::Tar, Reason::UnsupportedMember, format!("{what}, not a file")));
    }
    let role = Role::of(&path);
    if role == Role::Unused {
        return Ok(None);
    }
    if member.size > role.limit(limits) {
        return Err(too_large(Stage::Tar, role.limit(limits)));
    }
    Ok(Some(path))
}

/// A member's path with one `/` between its parts, refused when it could lead out of its package.
fn clean(raw: &[u8]) -> Result<String> {
    let refuse = |reason, what: &str| Err(Error::new(Stage::Tar, reason, what));
    if raw.len() > MAX_PATH {
        return refuse(Reason::TooLarge, "its name is longer than 4096 bytes");
    }
    if raw.starts_with(b"/") {
        return refuse(Reason::UnsafePath, "an absolute path");
    }
    let text = String::from_utf8_lossy(raw);
    let parts = || text.split('/').filter(|part| !matches!(*part, "" | "."));
    if parts().any(|part| part == "..") {
        return refuse(Reason::UnsafePath, "a path with `..`");
    }
    match parts().count() {
        0 => refuse(Reason::Corrupt, "it has no name"),
        count if count > MAX_DEPTH => refuse(Reason::TooDeep, "more than 64 directories deep"),
        _ => {
            let is_clean = !text.split('/').any(|part| matches!(part, "" | "."));
            if is_clean { Ok(text.into_owned()) } else { Ok(parts().collect::<Vec<_>>().join("/")) }
        }
    }
}

fn corrupt(what: &str) -> Error {
    Error::new(Stage::Tar, Reason::Corrupt, what)
}

fn truncated(what: &str) -> Error {
    Error::new(Stage::Tar, Reason::Truncated, what)
}
