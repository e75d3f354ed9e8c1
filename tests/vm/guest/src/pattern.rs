// SPDX-License-Identifier: GPL-2.0

//! Payloads that can be recognised: every byte follows from the seed and its place.

/// A xorshift generator: no need for quality, only for a stream that does not repeat by
/// accident when a frame is lost, doubled or moved.
pub struct Pattern(u64);

impl Pattern {
    pub fn new(seed: u64) -> Self {
        // Zero is the one state the generator cannot leave.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            *byte = self.0.to_le_bytes()[4];
        }
    }
}

/// The payload of `len` bytes that belongs to `seed`.
pub fn payload(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    Pattern::new(seed).fill(&mut bytes);
    bytes
}

/// Says where `got` differs from `want`, if it does.
pub fn compare(got: &[u8], want: &[u8]) -> Result<(), String> {
    if got.len() != want.len() {
        return Err(format!("{} bytes came back, {} were sent", got.len(), want.len()));
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
