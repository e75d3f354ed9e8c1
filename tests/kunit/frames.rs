// SPDX-License-Identifier: GPL-2.0

//! Frames and config spaces to test with.

use crate::link_config::Direction;
use kernel::prelude::*;

/// Returns a frame of `len` bytes. Frames of different seeds differ, as far as their length allows,
/// and shifted or missing bytes are found. The first two bytes are not its length.
pub(crate) fn frame(seed: u32, len: usize) -> Result<KVec<u8>> {
    let mut bytes = KVec::with_capacity(len, GFP_KERNEL)?;
    let mut state = seed.wrapping_mul(0x9e37_79b9) | 1;
    for i in 0..len {
        let byte = match (seed ^ 0x8000).to_le_bytes().get(i) {
            Some(byte) => *byte,
            None => {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            }
        };
        bytes.push(byte, GFP_KERNEL)?;
    }
    Ok(bytes)
}

/// Returns a config space.
pub(crate) fn config(uplink: Direction, downlink: Direction) -> Result<KVec<u8>> {
    let mut bytes = KVec::new();
    for direction in [uplink, downlink] {
        bytes.extend_from_slice(&direction.headroom.to_ne_bytes(), GFP_KERNEL)?;
        bytes.extend_from_slice(&direction.tailroom.to_ne_bytes(), GFP_KERNEL)?;
        bytes.extend_from_slice(&direction.mtu.to_ne_bytes(), GFP_KERNEL)?;
        bytes.extend_from_slice(&[0; 4], GFP_KERNEL)?;
    }
    bytes.extend_from_slice(&[0; 8], GFP_KERNEL)?;
    Ok(bytes)
}
