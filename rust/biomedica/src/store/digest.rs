//! MD5 (RFC 1321) of many objects at once.
//!
//! Each step of MD5 needs the one before it, so that a core mostly waits when it hashes one message. Here eight go side
//! by side in vectors: some five times as fast.

use std::cmp::Reverse;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{array, mem};

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wide::u32x8;

const LANES: usize = 8;
/// So many objects fill the lanes well, until the last of them.
const ENOUGH: usize = 3 * LANES;
/// How long an object waits for others. A server takes some ten times as long to answer.
const LINGER: Duration = Duration::from_millis(2);
const BLOCK: usize = 64;
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
/// The first 32 bits behind the point of |sin 1|, |sin 2|, …
#[rustfmt::skip]
#[allow(clippy::unreadable_literal)]
const SINES: [u32; 64] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
];

pub(super) type Digest = [u8; 16];
/// One word of each message that is under way.
type Word = u32x8;

/// The objects of a process that wait for their digests.
#[derive(Debug, Default)]
pub(super) struct Together {
    waiting: Mutex<Vec<(Bytes, oneshot::Sender<Digest>)>>,
}

impl Together {
    /// The digest of `bytes`, made together with those that others wait for at the same time.
    pub(super) async fn digest(&self, bytes: Bytes) -> Option<Digest> {
        let (send, mut answer) = oneshot::channel();
        let enough = {
            let mut waiting = self.waiting();
            waiting.push((bytes, send));
            waiting.len() >= ENOUGH
        };
        if !enough && let Ok(digest) = timeout(LINGER, &mut answer).await {
            return digest.ok();
        }
        let waiting = mem::take(&mut *self.waiting());
        let messages: Vec<&[u8]> = waiting.iter().map(|(bytes, _)| bytes.as_ref()).collect();
        let digests = digests(&messages);
        for ((_, send), digest) in waiting.into_iter().zip(digests) {
            // Who asked may be gone.
            let _ = send.send(digest);
        }
        // Someone else may have taken these bytes along just before, and be at it.
        answer.await.ok()
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<(Bytes, oneshot::Sender<Digest>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest of each message.
fn digests(messages: &[&[u8]]) -> Vec<Digest> {
    let mut digests = vec![Digest::default(); messages.len()];
    // The longest first: at the end, no lane is left with a long one alone.
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|&message| Reverse(messages[message].len()));
    let mut order = order.into_iter();
    let mut next = || order.next().map(|number| Message::new(number, messages[number]));
    let mut lanes: [Option<Message<'_>>; LANES] = array::from_fn(|_| next());
    let mut state = START.map(Word::splat);
    while let Some(blocks) = lanes.iter().flatten().map(Message::blocks_left).min() {
        for _ in 0..blocks {
            let block = lanes.each_ref().map(|lane| lane.as_ref().map_or(&[0; BLOCK], Message::block));
            compress(&mut state, &block);
            lanes.iter_mut().flatten().for_each(|message| message.at += 1);
        }
        for (lane, slot) in lanes.iter_mut().enumerate() {
            let Some(done) = slot.take_if(|message| message.blocks_left() == 0) else { continue };
            for (word, bytes) in state.iter().zip(digests[done.number].chunks_exact_mut(4)) {
                bytes.copy_from_slice(&word.as_array()[lane].to_le_bytes());
            }
            for (word, start) in state.iter_mut().zip(START) {
                word.as_mut_array()[lane] = start;
            }
            *slot = next();
        }
    }
    digests
}

/// A message in its lane.
struct Message<'a> {
    number: usize,
    whole: &'a [[u8; BLOCK]],
    /// What is left of the message, a one bit, zeros, its length in bits.
    tail: [[u8; BLOCK]; 2],
    blocks: usize,
    at: usize,
}

impl<'a> Message<'a> {
    fn new(number: usize, bytes: &'a [u8]) -> Self {
        let (whole, rest) = bytes.as_chunks::<BLOCK>();
        let mut tail = [0; 2 * BLOCK];
        tail[..rest.len()].copy_from_slice(rest);
        tail[rest.len()] = 0x80;
        let end = if rest.len() < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
        tail[end - 8..end].copy_from_slice(&(bytes.len() as u64).wrapping_mul(8).to_le_bytes());
        let (first, second) = tail.split_at(BLOCK);
        let mut blocks = [[0; BLOCK]; 2];
        blocks[0].copy_from_slice(first);
        blocks[1].copy_from_slice(second);
        Self { number, whole, tail: blocks, blocks: whole.len() + end / BLOCK, at: 0 }
    }

    fn blocks_left(&self) -> usize {
        self.blocks - self.at
    }

    /// The block that is next; there must be one.
    fn block(&self) -> &[u8; BLOCK] {
        self.whole.get(self.at).unwrap_or_else(|| &self.tail[self.at - self.whole.len()])
    }
}

/// Takes a block of each message into the state of its lane.
fn compress(state: &mut [Word; 4], blocks: &[&[u8; BLOCK]; LANES]) {
    // Of each lane's block in turn, the same half at a time: then word by word, of all lanes.
    let half = |half: usize| {
        let row = |block: &[u8; BLOCK]| {
            let words = &block.as_chunks::<4>().0[half * LANES..];
            Word::from(array::from_fn::<u32, LANES, _>(|word| u32::from_le_bytes(words[word])))
        };
        Word::transpose(blocks.map(row))
    };
    let halves = [half(0), half(1)];
    let words = halves.as_flattened();
    let [mut a, mut b, mut c, mut d] = *state;
    // Macros, so that turns are constants of the instructions and each function is compiled into its round.
    macro_rules! step {
        ($mix:expr, $word:expr, $sine:expr, $turn:literal, $a:ident, $b:ident, $c:ident, $d:ident) => {
            let sum = $a + $mix($b, $c, $d) + words[$word % 16] + Word::splat(SINES[$sine]);
            $a = $b + ((sum << $turn) | (sum >> (32 - $turn)));
        };
    }
    macro_rules! round {
        ($round:literal, $mix:expr, $word:expr, $turns:tt) => {
            for step in [0, 4, 8, 12] {
                round!(step, 16 * $round + step, $mix, $word, $turns);
            }
        };
        ($step:ident, $sine:expr, $mix:expr, $word:expr, [$t0:literal, $t1:literal, $t2:literal, $t3:literal]) => {
            step!($mix, $word($step), $sine, $t0, a, b, c, d);
            step!($mix, $word($step + 1), $sine + 1, $t1, d, a, b, c);
            step!($mix, $word($step + 2), $sine + 2, $t2, c, d, a, b);
            step!($mix, $word($step + 3), $sine + 3, $t3, b, c, d, a);
        };
    }
    round!(0, |b: Word, c: Word, d: Word| (b & c) | (!b & d), |step: usize| step, [7, 12, 17, 22]);
    round!(1, |b: Word, c: Word, d: Word| (d & b) | (!d & c), |step: usize| 5 * step + 1, [5, 9, 14, 20]);
    round!(2, |b: Word, c: Word, d: Word| b ^ c ^ d, |step: usize| 3 * step + 5, [4, 11, 16, 23]);
    round!(3, |b: Word, c: Word, d: Word| c ^ (b | !d), |step: usize| 7 * step, [6, 10, 15, 21]);
    for (word, sum) in state.iter_mut().zip([a, b, c, d]) {
        *word += sum;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use md5::{Digest as _, Md5};
    use proptest::prelude::*;

    use super::*;

    fn check(messages: &[Vec<u8>]) {
        let slices: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let expected: Vec<Digest> = messages.iter().map(|message| Md5::digest(message).into()).collect();
        assert_eq!(digests(&slices), expected);
    }

    #[test]
    fn every_length_of_the_last_block_is_padded_as_the_standard_says() {
        check(&(0..=2 * BLOCK).map(|length| vec![7; length]).collect::<Vec<_>>());
        check(&[]);
    }

    proptest! {
        #[test]
        fn messages_do_not_touch_their_neighbours(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..40)
        ) {
            check(&messages);
        }
    }

    #[test]
    fn each_gets_its_own_digest_whoever_does_the_work() {
        let together = std::sync::Arc::new(Together::default());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let messages: Vec<Vec<u8>> = (0..200).map(|number: u8| vec![number; usize::from(number) * 97]).collect();
        let tasks: Vec<_> = messages
            .iter()
            .map(|message| {
                let (together, message) = (std::sync::Arc::clone(&together), Bytes::from(message.clone()));
                runtime.spawn(async move { together.digest(message).await })
            })
            .collect();
        for (task, message) in tasks.into_iter().zip(&messages) {
            assert_eq!(runtime.block_on(task).unwrap(), Some(Md5::digest(message).into()));
        }
    }
}
