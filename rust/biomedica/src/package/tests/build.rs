//! Writes tars and gzips for tests, sound and otherwise.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

/// Makes a tar member by member.
#[derive(Default, Clone)]
pub(super) struct Tar(pub(super) Vec<u8>);

impl Tar {
    pub(super) fn file(self, name: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref();
        self.header(name, b'0', data.len() as u64).data(data)
    }

    /// A ustar header on its own.
    pub(super) fn header(self, name: impl AsRef<[u8]>, kind: u8, size: u64) -> Self {
        self.edited(name, kind, size, |_| {})
    }

    /// A header changed before its checksum is made.
    pub(super) fn edited(
        mut self,
        name: impl AsRef<[u8]>,
        kind: u8,
        size: u64,
        edit: impl FnOnce(&mut [u8; 512]),
    ) -> Self {
        let mut block = [0; 512];
        let name = name.as_ref();
        block[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        block[100..108].copy_from_slice(b"0000644\0");
        if size < 1 << 33 {
            block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        } else {
            block[124] = 0x80;
            block[128..136].copy_from_slice(&size.to_be_bytes());
        }
        block[136..148].copy_from_slice(b"00000000000\0");
        block[156] = kind;
        block[257..265].copy_from_slice(b"ustar\x0000");
        edit(&mut block);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
        self
    }

    pub(super) fn data(mut self, data: &[u8]) -> Self {
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// PAX records for the next member (`x`) or all that follow (`g`).
    pub(super) fn pax(self, kind: u8, records: &[(&str, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut len = rest + 1;
            while len.to_string().len() + rest > len {
                len += 1;
            }
            body.extend_from_slice(format!("{len} {key}=").as_bytes());
            body.extend_from_slice(value);
            body.push(b'\n');
        }
        self.header("PaxHeaders/x", kind, body.len() as u64).data(&body)
    }

    pub(super) fn gnu_name(self, name: &[u8]) -> Self {
        let name = [name, b"\0"].concat();
        self.header("././@LongLink", b'L', name.len() as u64).data(&name)
    }

    /// The tar with its two blocks of zeros.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    pub(super) fn gz(self) -> Vec<u8> {
        gzip(&self.end())
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that do not compress, the same each time.
pub(super) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(len).collect()
}

/// A package as PMC made them.
pub(super) fn article(name: &str) -> Tar {
    Tar::default()
        .header(format!("{name}/"), b'5', 0)
        .file(format!("{name}/a.nxml"), b"<article/>")
        .file(format!("{name}/f1.jpg"), noise(3000, 1))
        .file(format!("{name}/f1.gif"), noise(700, 2))
        .file(format!("{name}/paper.pdf"), noise(2000, 3))
        .file(format!("{name}/pone.g001"), noise(512, 4))
}
