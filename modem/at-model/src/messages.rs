// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Short messages that the modem has received, and their form as PDUs: TS 23.040.

/// Number of messages that the SIM can store.
pub(crate) const CAPACITY: usize = 20;
/// The longest message of the 7-bit alphabet, and of the other one.
const MAX_SEPTETS: usize = 160;
const MAX_UCS2: usize = 70;
const TIME: &str = "26/11/29,12:00:00+04";

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Digits, with or without a `+`.
    pub(crate) from: String,
    pub(crate) text: String,
    /// `YY/MM/DD,HH:MM:SS+ZZ`, the zone in quarters of an hour.
    pub(crate) time: String,
    pub(crate) read: bool,
}

impl Message {
    pub(crate) fn new(from: &str, text: &str, time: Option<&str>) -> Result<Self, String> {
        let digits = from.strip_prefix('+').unwrap_or(from);
        if !(1..=20).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!(
                "message from {from:?}: want a number of 1 to 20 digits"
            ));
        }
        let time = time.unwrap_or(TIME);
        if !is_time(time) {
            return Err(format!("message at {time:?}: want a time such as {TIME}"));
        }
        let fits = if is_plain(text) {
            text.len() <= MAX_SEPTETS
        } else {
            text.encode_utf16().count() <= MAX_UCS2
        };
        if text.is_empty() || text.contains(char::is_control) || !fits {
            return Err(format!(
                "message {text:?}: want a line that fits a short message"
            ));
        }
        Ok(Self {
            from: from.to_owned(),
            text: text.to_owned(),
            time: time.to_owned(),
            read: false,
        })
    }

    /// Returns the SMS-DELIVER in hexadecimal behind an empty address of the service centre, and
    /// its length in bytes without that address.
    pub(crate) fn pdu(&self) -> (usize, String) {
        let mut pdu = vec![0x04];
        let digits = self.from.strip_prefix('+');
        let (kind, digits) = match digits {
            Some(digits) => (0x91, digits),
            None => (0x81, self.from.as_str()),
        };
        pdu.push(short(digits.len()));
        pdu.push(kind);
        pdu.extend(swapped(digits));
        // Protocol 0, and the alphabet.
        let plain = is_plain(&self.text);
        pdu.extend([0, if plain { 0 } else { 8 }]);
        let (time, zone) = self.time.split_at_checked(17).unwrap_or((&self.time, ""));
        let digits: String = time.chars().filter(char::is_ascii_digit).collect();
        pdu.extend(swapped(&digits));
        let sign = if zone.starts_with('-') { 8 } else { 0 };
        pdu.extend(swapped(zone.get(1..).unwrap_or_default()).map(|byte| byte | sign));
        if plain {
            pdu.push(short(self.text.len()));
            pdu.extend(packed(self.text.as_bytes()));
        } else {
            let bytes: Vec<u8> = self
                .text
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect();
            pdu.push(short(bytes.len()));
            pdu.extend(bytes);
        }
        let hex = pdu
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect::<String>();
        (pdu.len(), format!("00{hex}"))
    }
}

fn short(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

fn is_time(time: &str) -> bool {
    let form = "00/00/00,00:00:00+00";
    time.len() == form.len()
        && time
            .bytes()
            .zip(form.bytes())
            .all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                b'+' => matches!(byte, b'+' | b'-'),
                form => byte == form,
            })
}

/// Returns whether each character has the same number in ASCII and in the 7-bit alphabet.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || (b' '..=b'?').contains(&byte) && byte != b'$')
}

/// Returns digits as bytes of two each, the first in the low half; the last is filled up by F.
fn swapped(digits: &str) -> impl Iterator<Item = u8> {
    let digit = |byte: &u8| byte.wrapping_sub(b'0') & 0xf;
    digits.as_bytes().chunks(2).map(move |pair| {
        let low = pair.first().map_or(0xf, digit);
        let high = pair.get(1).map_or(0xf, digit);
        high.wrapping_shl(4) | low
    })
}

/// Packs characters of 7 bits.
fn packed(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u16, 0_u32);
    for byte in text {
        bits |= u16::from(*byte).wrapping_shl(count);
        count = count.saturating_add(7);
        if count >= 8 {
            bytes.push(bits.to_le_bytes()[0]);
            bits = bits.wrapping_shr(8);
            count = count.saturating_sub(8);
        }
    }
    if count > 0 {
        bytes.push(bits.to_le_bytes()[0]);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_example_of_packing() {
        assert_eq!(
            packed(b"hellohello"),
            [0xe8, 0x32, 0x9b, 0xfd, 0x46, 0x97, 0xd9, 0xec, 0x37]
        );
        assert_eq!(packed(b""), []);
        assert_eq!(packed(&[0x7f; 8]), [0xff; 7]);
    }

    #[test]
    fn pdus() {
        let message = Message::new("+491701234567", "hellohello", Some("26/11/29,12:34:56-04"));
        let (len, pdu) = message.unwrap().pdu();
        let want = "00040C919471103254760000621192214365480AE8329BFD4697D9EC37";
        assert_eq!(pdu, want);
        assert_eq!(len, want.len() / 2 - 1);
        let (_, pdu) = Message::new("123", "é", None).unwrap().pdu();
        assert_eq!(
            pdu,
            "0004038121F3000862119221000040020 0E9".replace(' ', "")
        );
    }

    #[test]
    fn what_is_no_message() {
        let long = "x".repeat(161);
        let long_ucs2 = "é".repeat(71);
        for (from, text) in [
            ("", "x"),
            ("+", "x"),
            ("abc", "x"),
            ("1", ""),
            ("1", "a\nb"),
            ("1", &long),
            ("1", &long_ucs2),
        ] {
            assert!(Message::new(from, text, None).is_err(), "{from} {text}");
        }
        assert!(Message::new("1", "x", Some("today")).is_err());
        assert!(Message::new("1", &"x".repeat(160), None).is_ok());
    }
}
