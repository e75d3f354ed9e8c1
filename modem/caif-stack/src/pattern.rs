// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The pseudo-random bytes of the TCP source, and the line that ends a checked stream.

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Returns word `index` of the SplitMix64 sequence for `seed`.
pub fn word(seed: u64, index: u64) -> u64 {
    let z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(GAMMA));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An endless stream of pseudo-random bytes, determined by its seed.
#[derive(Debug, Clone)]
pub struct Pattern {
    seed: u64,
    next: u64,
    /// The unused bytes of the word before `next`.
    rest: std::array::IntoIter<u8, 8>,
}

impl Pattern {
    /// Starts the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rest = [0; 8].into_iter();
        rest.by_ref().for_each(drop);
        Self {
            seed,
            next: 0,
            rest,
        }
    }

    fn word(&mut self) -> [u8; 8] {
        let word = word(self.seed, self.next);
        self.next = self.next.wrapping_add(1);
        word.to_le_bytes()
    }

    /// Writes the next bytes of the stream.
    pub fn fill(&mut self, out: &mut [u8]) {
        let split = self.rest.len().min(out.len());
        let (head, tail) = out.split_at_mut(split);
        for (to, from) in head.iter_mut().zip(self.rest.by_ref()) {
            *to = from;
        }
        let mut words = tail.chunks_exact_mut(8);
        for to in words.by_ref() {
            to.copy_from_slice(&self.word());
        }
        let end = words.into_remainder();
        if !end.is_empty() {
            self.rest = self.word().into_iter();
            for (to, from) in end.iter_mut().zip(self.rest.by_ref()) {
                *to = from;
            }
        }
    }
}

/// Counts the bytes of a stream and computes their CRC-32.
#[derive(Debug, Clone, Default)]
pub struct Checksum {
    hasher: crc32fast::Hasher,
    bytes: u64,
}

impl Checksum {
    /// Adds the next bytes of the stream.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
        crate::stats::add(&mut self.bytes, bytes.len());
    }

    /// Returns the line `<bytes> <checksum>\n`.
    pub fn line(&self) -> String {
        format!("{} {:08x}\n", self.bytes, self.hasher.clone().finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values_of_splitmix64() {
        assert_eq!(word(0, 0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(word(1_234_567, 0), 6_457_827_717_110_365_317);
        assert_eq!(word(1_234_567, 1), 3_203_168_211_198_807_973);
    }

    #[test]
    fn pieces_of_any_size_equal_the_whole() {
        let mut whole = [0; 200];
        Pattern::new(1).fill(&mut whole);
        assert_eq!(
            whole[..10],
            [0xc1, 0x5c, 0x02, 0x89, 0xec, 0x2d, 0x0a, 0x91, 0x67, 0xec]
        );
        for size in 1..20 {
            let mut pieces = [0; 200];
            let mut pattern = Pattern::new(1);
            pieces
                .chunks_mut(size)
                .for_each(|piece| pattern.fill(piece));
            assert_eq!(pieces, whole, "pieces of {size}");
        }
    }

    #[test]
    fn checksum_line() {
        let mut checksum = Checksum::default();
        assert_eq!(checksum.line(), "0 00000000\n");
        checksum.update(b"12345");
        checksum.update(b"6789");
        assert_eq!(checksum.line(), "9 cbf43926\n");
    }
}
