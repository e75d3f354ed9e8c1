// SPDX-License-Identifier: GPL-2.0 OR MIT

//! What the modem does all the time, beside its steps.

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

/// Threads, which end when this is dropped.
#[derive(Default)]
pub struct Background {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Values to store at a place, over and over.
pub struct Race {
    /// Device address.
    pub at: u64,
    /// The values.
    pub values: Vec<u64>,
    /// Bytes of each.
    pub width: u8,
    /// Whether the next boot is not the end.
    pub across: bool,
}

impl Background {
    fn spawn(&mut self, mut work: impl FnMut() -> bool + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) && work() {
                // Linux runs on the same few cores.
                thread::yield_now();
            }
        }));
    }

    /// Stores values.
    pub fn race(&mut self, memory: SharedMemory, race: Race) -> anyhow::Result<()> {
        let page = ControlPage::open(memory.clone())?;
        let boot = page.get(Field::BootId)?;
        self.spawn(move || {
            for value in race.values.iter().cycle().take(64) {
                if store(&memory, race.at, *value, race.width).is_err() {
                    return false;
                }
            }
            race.across || page.get(Field::BootId).is_ok_and(|now| now == boot)
        });
        Ok(())
    }

    /// Rings bells.
    pub fn storm(&mut self, bells: Vec<Bell>) {
        self.spawn(move || bells.iter().all(|bell| bell.ring().is_ok()));
    }

    /// Ends all threads.
    pub fn calm(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has nothing to say.
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
