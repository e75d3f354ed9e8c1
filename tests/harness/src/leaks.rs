// SPDX-License-Identifier: GPL-2.0

//! Memory that nothing points to any more, found by the kernel's kmemleak.

use anyhow::{Result, ensure};

use crate::guest::Guest;

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

/// Looks for memory that leaked, where the kernel can.
pub fn scan(guest: &mut Guest) -> Result<()> {
    if guest.run(&format!("[ -e {KMEMLEAK} ]"))?.status != 0 {
        return Ok(());
    }
    // Memory counts as leaked when a scan finds no pointer to what an earlier one did not find
    // either, and when it is older than five seconds; the kernel crate's own needs five scans.
    // Writing fails where the kernel has given up looking for leaks.
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
