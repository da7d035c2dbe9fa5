//! Bounds on what input may cost. Everything read from outside is held to them.

use serde::{Deserialize, Serialize};

const MIB: u64 = 1 << 20;

/// How much of anything is accepted before it becomes a failure. Sizes are in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// One XML document, before and after its text is decoded.
    pub xml_bytes: u64,
    /// One tar member or file that is kept in memory.
    pub member_bytes: u64,
    /// What one article's kept members may hold together.
    pub article_bytes: u64,
    /// What one compressed package may expand to, skipped members included.
    pub package_bytes: u64,
    /// Expanded size over compressed size, looked at beyond [`Limits::RATIO_FLOOR`].
    pub expansion_ratio: u64,
    /// Open elements at one time.
    pub xml_depth: usize,
    /// Bytes that the entities of an internal subset may expand to, over a whole document.
    pub entity_bytes: usize,
}

impl Limits {
    /// Small files may expand by any ratio: 16 MiB of zeros is no danger.
    pub const RATIO_FLOOR: u64 = 16 * MIB;
    /// Ordinary packages are inflated whole up to this expanded size; larger ones are streamed member by member.
    pub const WHOLE_BUFFER: u64 = 64 * MIB;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            xml_bytes: 64 * MIB,
            member_bytes: 128 * MIB,
            article_bytes: 256 * MIB,
            package_bytes: 64 * 1024 * MIB,
            expansion_ratio: 1000,
            xml_depth: 2048,
            entity_bytes: 1 << 20,
        }
    }
}
