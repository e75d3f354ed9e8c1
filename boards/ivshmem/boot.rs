// SPDX-License-Identifier: GPL-2.0

//! A boot of the modem by way of the control page, from the check of its firmware to its end.
//! Boards differ in how they ring the modem.

use super::{
    control::ModemState,
    firmware,
    table,
    watchdog::{
        Armed,
        Watchdog, //
    }, //
};
use crate::abstractions::remoteproc::{
    elf::Checked,
    DeviceRange,
    Rproc,
    State, //
};
use kernel::{
    fmt,
    prelude::*,
    sync::Arc, //
};

/// Time that the modem may take to leave a boot, in milliseconds.
const STOP_MS: u32 = 1000;

/// Implements the kernel's `Display` for the error of a file that does not use the kernel crate.
impl fmt::Display for firmware::Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

/// Checks a firmware file, and that its resource table matches the one in use. `ENOEXEC` with a
/// line in the log if not.
pub(crate) fn check_firmware<'a>(
    rproc: &Rproc,
    image: &'a [u8],
    in_use: Option<&[u8]>,
) -> Result<Checked<'a>> {
    let check = || {
        let checked = firmware::check(image)?;
        if let Some(in_use) = in_use {
            table::check_same(checked.table(), in_use)?;
        }
        Ok(checked)
    };
    check().map_err(|unfit: firmware::Unfit| {
        dev_err!(rproc, "the firmware {unfit}\n");
        ENOEXEC
    })
}

/// Begins a boot with the resource table that was loaded, and watches it. The modem must be rung
/// afterwards, so that it notices.
pub(crate) fn start(
    watchdog: &Arc<Watchdog>,
    rproc: &Rproc,
    table: Option<DeviceRange>,
    host_peer: u16,
) -> Result<Armed> {
    let table = table.ok_or(EINVAL).inspect_err(|_| {
        dev_err!(rproc, "the firmware's resource table is not loaded\n");
    })?;
    let control = watchdog.control();
    let before = control.modem()?;
    let id = control.start(table, host_peer)?;
    Ok(watchdog.arm(rproc, id, &before))
}

/// Tells the modem to leave its boot, and waits until it has, unless it crashed. Process context:
/// sleeps.
pub(crate) fn end(watchdog: &Watchdog, rproc: &Rproc, ring: impl FnOnce()) -> Result {
    let control = watchdog.control();
    watchdog.expect_leave();
    control.stop()?;
    ring();
    if rproc.state() != State::Crashed
        && control.modem()?.state == ModemState::Running
        && !watchdog.wait_leave(STOP_MS)
    {
        dev_warn!(rproc, "the modem did not stop within {STOP_MS} ms\n");
    }
    Ok(())
}
