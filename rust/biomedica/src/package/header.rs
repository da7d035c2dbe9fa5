//! One tar header block: ustar, GNU and old V7 tars, with the PAX records that may stand before it.

/// Headers and the padding of members come in blocks of this size.
pub(crate) const BLOCK: usize = 512;

/// What follows a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// GNU: the name of the next member.
    LongName,
    /// GNU: the link target of the next member.
    LongLink,
    /// PAX records of the next member.
    Pax,
    /// PAX records of all members from here on.
    GlobalPax,
    /// GNU: a label of the volume, no member.
    Label,
    /// A link, a device and the like, in words; only some carry data.
    Unsupported(&'static str),
}

#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// As written, prefix and all.
    pub(crate) name: Vec<u8>,
    pub(crate) size: u64,
    /// An old GNU sparse file whose map goes on in the next block.
    pub(crate) is_extended: bool,
}

impl Header {
    /// Whether the map of a sparse file goes on after `block`, itself such a continuation.
    pub(crate) fn is_map_extended(block: &[u8; BLOCK]) -> bool {
        field(block, 504, 1) != b"\0"
    }

    /// Reads a block; none for a block of zeros. What is wrong with it otherwise is said in words.
    pub(crate) fn parse(block: &[u8; BLOCK]) -> Result<Option<Self>, &'static str> {
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let written = number(field(block, 148, 8)).ok_or("the header's checksum is no number")?;
        // The sum is taken with the checksum's own field as blanks.
        let blanks = 8 * u64::from(b' ');
        let unsigned = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
        let sum = unsigned(block) - unsigned(field(block, 148, 8)) + blanks;
        if written != sum {
            // Some old tars summed signed bytes: those above 127 count 256 less.
            let high = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte >> 7)).sum::<u64>();
            let lost = 256 * (high(block) - high(field(block, 148, 8)));
            if written.checked_add(lost) != Some(sum) {
                return Err("not a tar header: its checksum is wrong");
            }
        }
        let mut name = text(field(block, 0, 100)).to_vec();
        let prefix = text(field(block, 345, 155));
        if field(block, 257, 6) == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let kind = match field(block, 156, 1) {
            b"0" | b"\0" | b"7" => Kind::File,
            b"1" => Kind::Unsupported("a hard link"),
            b"2" => Kind::Unsupported("a symbolic link"),
            b"3" | b"4" => Kind::Unsupported("a device"),
            b"5" => Kind::Directory,
            b"6" => Kind::Unsupported("a FIFO"),
            b"L" => Kind::LongName,
            b"K" => Kind::LongLink,
            b"x" | b"X" => Kind::Pax,
            b"g" => Kind::GlobalPax,
            b"S" => Kind::Unsupported("a sparse file"),
            b"V" => Kind::Label,
            _ => Kind::Unsupported("a member of unknown type"),
        };
        let size = number(field(block, 124, 12)).ok_or("the header's size is no number")?;
        // Links, devices, FIFOs and directories have no data, whatever their size says.
        let size = if matches!(field(block, 156, 1), b"1" | b"2" | b"3" | b"4" | b"5" | b"6") { 0 } else { size };
        let is_extended = field(block, 156, 1) == b"S" && field(block, 482, 1) != b"\0";
        Ok(Some(Self { kind, name, size, is_extended }))
    }
}

/// A part of a block that lies within it by construction.
fn field(block: &[u8; BLOCK], at: usize, len: usize) -> &[u8] {
    block.get(at..at + len).unwrap_or_default()
}

/// Up to the first NUL.
pub(crate) fn text(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Octal digits between blanks and NULs, or GNU's big-endian binary marked by the first bit.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((0x80, digits)) = field.split_first() {
        let (high, low) = digits.split_at(digits.len().checked_sub(8)?);
        return high.iter().all(|&byte| byte == 0).then(|| low.iter().fold(0, |n, &byte| n << 8 | u64::from(byte)));
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0u64, |n, &byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 8)?;
        n.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

/// The PAX records that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) sparse: bool,
}

impl Pax {
    /// Adds the records of `body` (`length key=value\n` each); none when they are not of this form.
    pub(crate) fn read(&mut self, mut body: &[u8]) -> Option<()> {
        while body.first().is_some_and(|&byte| byte != 0) {
            let blank = body.iter().take(20).position(|&byte| byte == b' ')?;
            let len: usize = decimal(body.get(..blank)?)?.try_into().ok()?;
            let record = body.get(blank + 1..len)?.strip_suffix(b"\n")?;
            body = body.get(len..)?;
            let equals = record.iter().position(|&byte| byte == b'=')?;
            let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
            match key {
                b"path" => self.path = (!value.is_empty()).then(|| value.to_vec()),
                b"size" => self.size = if value.is_empty() { None } else { Some(decimal(value)?) },
                _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
        Some(())
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0"), Some(0));
        assert_eq!(number(b"12x"), None);
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]), Some(258));
        assert_eq!(number(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None, "beyond 64 bits");
        assert_eq!(number(&[0xff; 12]), None, "negative");
    }

    #[test]
    fn pax_records_give_path_and_size() {
        let mut pax = Pax::default();
        assert_eq!(pax.read(b"15 path=a/b.jpg\n"), None, "one byte short");
        assert_eq!(pax.read(b"16 path=a/b.jpg\n13 size=1024\n19 comment=x = y z\n"), Some(()));
        assert_eq!((pax.path.as_deref(), pax.size, pax.sparse), (Some(b"a/b.jpg".as_slice()), Some(1024), false));
        assert_eq!(pax.read(b"22 GNU.sparse.major=1\n"), Some(()));
        assert!(pax.sparse);
    }

    #[test]
    fn broken_pax_records_are_refused() {
        for body in [b"x".as_slice(), b"99 path=a\n", b"0 \n", b"3 \n", b"5 abc", b"18446744073709551616 a=b\n"] {
            assert_eq!(Pax::default().read(body), None, "{body:?}");
        }
    }
}
