//! A ustar writer: regular files only, no time, no owner.

use std::io::{self, Write};

/// Tar's unit: headers are one block, contents are padded to the next.
pub const BLOCK: usize = 512;
/// What the name field of a header holds.
const NAME_BYTES: usize = 100;
/// The largest size that eleven octal digits can say.
const MAX_SIZE: u64 = (1 << 33) - 1;
static ZEROS: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// Writes one tar file. `W` should buffer small writes and pass large ones through.
#[derive(Debug)]
pub struct Tar<W> {
    inner: W,
    position: u64,
}

impl<W: Write> Tar<W> {
    /// A tar that begins where `inner` is.
    pub fn new(inner: W) -> Self {
        Self { inner, position: 0 }
    }

    /// Bytes written.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Where the bytes of the next member will begin if it is called `name`.
    pub fn next_offset(&self, name: &str) -> u64 {
        self.position + header_bytes(name)
    }

    /// Writes a member and returns where its bytes begin.
    pub fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<u64> {
        if bytes.len() as u64 > MAX_SIZE {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("member {name} is beyond 8 GiB")));
        }
        // A name longer than the field goes before the member as a pax record; its head stays in the field.
        if let Some(record) = name_record(name) {
            self.put(&header("PaxHeaders/name", record.len(), b'x'))?;
            self.contents(&record)?;
        }
        self.put(&header(name, bytes.len(), b'0'))?;
        let offset = self.position;
        self.contents(bytes)?;
        Ok(offset)
    }

    /// Ends the tar with two blocks of zeros and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.put(&ZEROS)?;
        Ok(self.inner)
    }

    fn contents(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.put(bytes)?;
        self.put(ZEROS.get(..padding(bytes.len())).unwrap_or_default())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        self.position += bytes.len() as u64;
        Ok(())
    }
}

/// Bytes that the headers of a member called `name` take up before its own.
pub fn header_bytes(name: &str) -> u64 {
    let record = name_record(name).map_or(0, |record| BLOCK + record.len() + padding(record.len()));
    (record + BLOCK) as u64
}

fn padding(len: usize) -> usize {
    len.next_multiple_of(BLOCK) - len
}

/// The pax record `<length> path=<name>\n` of a name that does not fit; its length counts its own digits.
fn name_record(name: &str) -> Option<Vec<u8>> {
    if name.len() <= NAME_BYTES {
        return None;
    }
    let rest = " path=\n".len() + name.len();
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    Some(format!("{length} path={name}\n").into_bytes())
}

fn header(name: &str, size: usize, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut set = |at: usize, bytes: &[u8]| {
        for (to, from) in block.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    set(0, name.as_bytes().get(..NAME_BYTES).unwrap_or(name.as_bytes()));
    set(100, b"0000644\0");
    set(108, b"0000000\0");
    set(116, b"0000000\0");
    set(124, format!("{size:011o}\0").as_bytes());
    set(136, b"00000000000\0");
    // The checksum is taken with its own field as spaces.
    set(148, b"        ");
    set(156, &[kind]);
    set(257, b"ustar\x0000");
    set(329, b"0000000\0");
    set(337, b"0000000\0");
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    for (to, from) in block.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    block
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sample(names: &[&str]) -> (Vec<u8>, Vec<u64>) {
        let mut tar = Tar::new(Vec::new());
        let mut offsets = Vec::new();
        for name in names {
            let expected = tar.next_offset(name);
            let offset = tar.append(name, name.as_bytes()).unwrap();
            assert_eq!(offset, expected);
            offsets.push(offset);
        }
        (tar.finish().unwrap(), offsets)
    }

    #[test]
    fn offsets_point_at_the_bytes_of_each_member() {
        let long = format!("{}.json", "x".repeat(110));
        let names = ["a.jpg", "a.txt", long.as_str(), ""];
        let (bytes, offsets) = sample(&names);
        for (name, offset) in names.iter().zip(offsets) {
            let at = usize::try_from(offset).unwrap();
            assert_eq!(&bytes[at..at + name.len()], name.as_bytes());
        }
    }

    #[test]
    fn it_ends_with_two_blocks_of_zeros() {
        let (bytes, _) = sample(&["a"]);
        assert_eq!(bytes.len(), 4 * BLOCK);
        assert!(bytes[2 * BLOCK..].iter().all(|&b| b == 0));
    }

    #[test]
    fn a_header_has_neither_time_nor_owner() {
        let (bytes, _) = sample(&["PMC1_0001.jpg"]);
        let printable: String = bytes[..BLOCK].iter().map(|&b| if b == 0 { '.' } else { char::from(b) }).collect();
        insta::assert_snapshot!(printable.trim_end_matches('.'), @"PMC1_0001.jpg.......................................................................................0000644.0000000.0000000.00000000015.00000000000.011043. 0....................................................................................................ustar.00................................................................0000000.0000000");
    }

    #[test]
    fn a_pax_record_counts_its_own_length() {
        for n in [101, 980, 985, 986, 987, 988, 989, 990, 991, 992, 995, 1000] {
            let record = String::from_utf8(name_record(&"x".repeat(n)).unwrap()).unwrap();
            let (length, _) = record.split_once(' ').unwrap();
            assert_eq!(length.parse::<usize>().unwrap(), record.len());
        }
    }

    #[test]
    fn a_size_of_eight_digits_and_more_is_octal() {
        let block = header("a", 123_456_789, b'0');
        assert_eq!(&block[124..136], b"00726746425\0");
    }
}
