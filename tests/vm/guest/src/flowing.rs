// SPDX-License-Identifier: GPL-2.0

//! Tells somebody who waits that traffic has begun to flow.

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
    /// A FIFO that is opened, for somebody who waits at its other end, once traffic flows
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
            // Waits for the reader, whom the end of file then wakes.
            OpenOptions::new()
                .write(true)
                .open(fifo)
                .with_context(|| format!("cannot open {}", fifo.display()))?;
        }
        Ok(())
    }
}
