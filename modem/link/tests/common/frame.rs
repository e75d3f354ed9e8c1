// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Frames with their number, of which every byte can be checked.

/// Length field and number.
pub const MIN: usize = 6;

/// Makes frame `number`, of [`MIN`] to `max` bytes. Its first two bytes are its length, as in a
/// CAIF frame.
pub fn make(number: u32, max: usize) -> Vec<u8> {
    let mix = number.wrapping_mul(0x9e37_79b1) >> 8;
    // Mostly short ones; each 16th may have any length.
    let limit = if mix % 16 == 0 { max } else { max.min(128) };
    let len = MIN + (mix / 16) as usize % (limit - MIN + 1);
    let mut frame = ((len - 2) as u16).to_le_bytes().to_vec();
    frame.extend(number.to_le_bytes());
    frame.extend((0u32..).take(len - MIN).map(|i| (mix ^ (i * 37)) as u8));
    frame
}

/// Compares a frame with the expected one.
#[track_caller]
pub fn check(frame: &[u8], number: u32, max: usize) {
    let want = make(number, max);
    if frame != want {
        let at = frame.iter().zip(&want).position(|(a, b)| a != b);
        panic!(
            "frame {number}: {} bytes of {}, the first wrong one is {at:?}; it begins with {:02x?}",
            frame.len(),
            want.len(),
            &frame[..frame.len().min(8)],
        );
    }
}
