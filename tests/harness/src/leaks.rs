// SPDX-License-Identifier: GPL-2.0

//! Leaked memory, found by the kernel's kmemleak.

use anyhow::{Result, ensure};

use crate::guest::Guest;

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";

/// Returns whether the kernel supports it, and was not booted without.
fn is_there(guest: &mut Guest) -> Result<bool> {
    let found = guest.run(&format!(
        "[ -e {KMEMLEAK} ] && ! grep -qw kmemleak=off /proc/cmdline"
    ))?;
    Ok(found.status == 0)
}

/// Ends the scans that the kernel makes by itself, which only take time.
pub fn scan_when_told(guest: &mut Guest) -> Result<()> {
    if is_there(guest)? {
        guest.ok(&format!("echo scan=off >{KMEMLEAK}"))?;
    }
    Ok(())
}

/// Ends all of it for the rest of the machine's life, before something that is known to leak.
pub fn look_no_more(guest: &mut Guest) -> Result<()> {
    if is_there(guest)? {
        guest.ok(&format!("echo off >{KMEMLEAK}"))?;
    }
    Ok(())
}

/// Checks for leaked memory, if the kernel supports it.
pub fn scan(guest: &mut Guest) -> Result<()> {
    if !is_there(guest)? {
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
