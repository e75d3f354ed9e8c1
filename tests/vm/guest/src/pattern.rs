// SPDX-License-Identifier: GPL-2.0

//! Payloads whose every byte follows from a seed and its position.
//!
//! The generator is SplitMix64, as in the modem's source service.

/// The endless stream of bytes of a seed.
pub struct Pattern {
    state: u64,
    word: [u8; 8],
    /// How many bytes of the word were used.
    used: usize,
}

impl Pattern {
    pub fn new(seed: u64) -> Self {
        Self {
            state: seed,
            word: [0; 8],
            used: 8,
        }
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.word.len() {
                self.word = self.next();
                self.used = 0;
            }
            *byte = self.word[self.used];
            self.used += 1;
        }
    }

    fn next(&mut self) -> [u8; 8] {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

/// Returns the payload of `len` bytes of a seed.
pub fn payload(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pattern::new(seed).fill(&mut bytes);
    bytes
}

/// Returns an error that names the first difference of `got` and `want`.
pub fn compare(got: &[u8], want: &[u8]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!(
            "{} bytes came back, {} were sent",
            got.len(),
            want.len()
        ));
    }
    match got.iter().zip(want).position(|(a, b)| a != b) {
        Some(at) => Err(format!(
            "byte {at} of {} is {:#04x}, should be {:#04x}",
            got.len(),
            got[at],
            want[at]
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::payload;

    #[test]
    fn known_words() {
        assert_eq!(
            payload(0, 8),
            [0xaf, 0xcd, 0x1d, 0x7b, 0x39, 0xa8, 0x20, 0xe2]
        );
        assert_eq!(
            payload(1, 10),
            [0xc1, 0x5c, 0x02, 0x89, 0xec, 0x2d, 0x0a, 0x91, 0x67, 0xec]
        );
    }
}
