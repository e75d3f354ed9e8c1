// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Stores and interrupts that repeat in threads of their own while the steps go on.

use ivshmem::{
    client::Bell,
    control::{ControlPage, Field},
    memory::SharedMemory,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// The threads, which end when this is dropped.
#[derive(Default)]
pub struct Background {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Values to store at an address repeatedly.
pub struct Race {
    /// Device address.
    pub at: u64,
    /// The values.
    pub values: Vec<u64>,
    /// Size of each value in bytes.
    pub width: u8,
    /// Whether to go on in the next boot.
    pub across: bool,
}

impl Background {
    fn spawn(&mut self, mut work: impl FnMut() -> bool + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && work() {
                // The machine runs on the same few cores.
                thread::yield_now();
            }
        }));
    }

    /// Starts a thread that stores values.
    pub fn race(&mut self, memory: SharedMemory, race: Race) -> anyhow::Result<()> {
        let page = ControlPage::open(memory.clone())?;
        let boot = page.get(Field::BootId)?;
        let mut next = 0;
        self.spawn(move || {
            for value in turn(&race.values, &mut next) {
                if store(&memory, race.at, value, race.width).is_err() {
                    return false;
                }
            }
            race.across || page.get(Field::BootId).is_ok_and(|now| now == boot)
        });
        Ok(())
    }

    /// Starts a thread that rings doorbells.
    pub fn storm(&mut self, bells: Vec<Bell>) {
        self.spawn(move || bells.iter().all(|bell| bell.ring().is_ok()));
    }

    /// Ends all threads.
    pub fn calm(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // The threads have no result.
            let _ = thread.join();
        }
        self.stop = Arc::default();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.calm();
    }
}

/// Stores the lowest `width` bytes of a value.
pub fn store(memory: &SharedMemory, at: u64, value: u64, width: u8) -> anyhow::Result<()> {
    match width {
        1 => memory.store(at, value as u8)?,
        2 => memory.store(at, value as u16)?,
        4 => memory.store(at, value as u32)?,
        8 => memory.store(at, value)?,
        _ => anyhow::bail!("no store has {width} bytes"),
    }
    Ok(())
}

/// Returns the values to store before the thread yields: all in turn, from number `next` on.
///
/// Their count is a prime number, so that each time another value is the last one. On a busy
/// machine Linux hardly sees any but the last.
fn turn<'a>(values: &'a [u64], next: &'a mut usize) -> impl Iterator<Item = u64> + 'a {
    (0..61).filter_map(move |_| {
        let value = values.get(*next)?;
        *next = (*next + 1) % values.len();
        Some(*value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_the_last_one_at_times() {
        for len in 1..=8 {
            let values: Vec<u64> = (0..len).collect();
            let mut next = 0;
            let mut last: Vec<u64> = (0..len)
                .filter_map(|_| turn(&values, &mut next).last())
                .collect();
            last.sort_unstable();
            assert_eq!(last, values);
        }
    }
}
