// SPDX-License-Identifier: GPL-2.0

//! Signals another process, by a FIFO, that traffic has begun to flow.

use std::{
    fs::OpenOptions,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};

#[derive(Clone, Default, clap::Args)]
pub struct Flowing {
    /// A FIFO to open and close once traffic flows, which wakes its reader
    #[arg(long = "flowing", value_name = "FIFO")]
    fifo: Option<PathBuf>,
    #[arg(skip)]
    announced: Arc<AtomicBool>,
}

impl Flowing {
    pub fn announce(&self) -> Result<()> {
        let Some(fifo) = &self.fifo else {
            return Ok(());
        };
        if !self.announced.swap(true, Ordering::Relaxed) {
            // Waits for a reader. Closing wakes it by the end of file.
            OpenOptions::new()
                .write(true)
                .open(fifo)
                .with_context(|| format!("cannot open {}", fifo.display()))?;
        }
        Ok(())
    }
}
