// SPDX-License-Identifier: GPL-2.0

//! Leaked memory, found by the kernel's kmemleak.

use anyhow::{Result, ensure};

use crate::guest::Guest;

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

/// Checks for leaked memory, if the kernel supports it.
pub fn scan(guest: &mut Guest) -> Result<()> {
    if guest.run(&format!("[ -e {KMEMLEAK} ]"))?.status != 0 {
        return Ok(());
    }
    // Memory counts as leaked when two scans find no pointer to it and it is older than five
    // seconds; that of the kernel crate needs five scans. Writing fails where kmemleak has switched
    // itself off.
    let found = guest
        .start_for(
            &format!(
                "sleep 5; for i in 1 2 3 4 5 6; do echo scan >{KMEMLEAK} || exit; done; \
                 cat {KMEMLEAK}"
            ),
            600,
        )?
        .ok()?;
    ensure!(found.is_empty(), "memory leaked:\n{found}");
    Ok(())
}
