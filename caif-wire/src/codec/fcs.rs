// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The frame check sequence: CRC-CCITT, reflected, without final xor.

const POLYNOMIAL: u16 = 0x8408;

/// The value before the first byte.
pub const INIT: u16 = 0xffff;

/// Returns `crc` continued over `bytes`.
pub fn update(crc: u16, bytes: &[u8]) -> u16 {
    bytes.iter().fold(crc, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| {
            let shifted = crc >> 1;
            if crc & 1 == 1 {
                shifted ^ POLYNOMIAL
            } else {
                shifted
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogued_check_value() {
        // CRC-16/MCRF4XX of the standard check string.
        assert_eq!(update(INIT, b"123456789"), 0x6f91);
    }

    #[test]
    fn pieces_equal_the_whole() {
        assert_eq!(
            update(update(INIT, b"1234"), b"56789"),
            update(INIT, b"123456789")
        );
    }
}
