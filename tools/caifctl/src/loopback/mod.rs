// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Channels that return their payloads.

pub mod bench;
pub mod ping;

use std::time::Duration;

use crate::caif::Peer;

/// A payload has a number, and room for it.
const SIZES: std::ops::RangeInclusive<i64> = 8..=1500;

#[derive(clap::Args, Debug)]
pub struct LoopbackChannel {
    #[command(flatten)]
    peer: Peer,
    /// The connection that the modem is asked for
    #[arg(long, value_name = "N", default_value_t = 1)]
    connection_id: u32,
    /// The size of a payload in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u16).range(SIZES))]
    size: u16,
}

/// Returns a payload: its number, and bytes that follow from number and place.
fn payload(number: u64, size: u16) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    let seed = number as u8;
    bytes.extend((8..size).map(|at| (at as u8) ^ seed));
    bytes
}

/// Returns the number of a payload, if it is unchanged.
fn number(bytes: &[u8], size: u16) -> Option<u64> {
    let number = u64::from_le_bytes(*bytes.first_chunk()?);
    (bytes == payload(number, size)).then_some(number)
}

/// Round-trip times of payloads.
#[derive(Debug, Default)]
struct Times {
    count: u32,
    least: Duration,
    most: Duration,
    sum: Duration,
}

impl Times {
    fn add(&mut self, time: Duration) {
        self.least = match self.count {
            0 => time,
            _ => self.least.min(time),
        };
        self.most = self.most.max(time);
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(time);
    }

    /// Returns the shortest, the mean and the longest time, in milliseconds; `None` if there is
    /// none.
    fn summary(&self) -> Option<[f64; 3]> {
        let mean = self.sum.checked_div(self.count)?;
        Some([self.least, mean, self.most].map(|time| time.as_secs_f64() * 1e3))
    }
}

/// Returns a summary in words.
fn in_words(summary: Option<[f64; 3]>) -> String {
    match summary {
        Some([least, mean, most]) => {
            format!("time min/avg/max = {least:.3}/{mean:.3}/{most:.3} ms")
        }
        None => "no times".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_recognized() {
        for size in [8, 9, 64, 1500] {
            let mut bytes = payload(300, size);
            assert_eq!(bytes.len(), usize::from(size));
            assert_eq!(number(&bytes, size), Some(300));
            assert_eq!(number(&bytes, size + 1), None);
            if let [.., last] = bytes.as_mut_slice() {
                *last ^= 1;
            }
            assert!(size == 8 || number(&bytes, size).is_none());
        }
        assert_eq!(number(&[], 8), None);
    }

    #[test]
    fn times_are_summed_up() {
        let mut times = Times::default();
        assert_eq!(in_words(times.summary()), "no times");
        for ms in [3, 1, 5] {
            times.add(Duration::from_millis(ms));
        }
        assert_eq!(
            in_words(times.summary()),
            "time min/avg/max = 1.000/3.000/5.000 ms"
        );
    }
}
