// SPDX-License-Identifier: GPL-2.0

//! Kills the modem under traffic, restarts it, and measures how long the traffic takes to return.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{link::MODEM, vm::Vm};

use crate::{Soak, report::Outcome};

/// Limit of the time from the modem's line "waiting" to the first answer to a ping in the guest;
/// the start of the guest's tool is part of it. One cycle in `SLOW_ONE_IN` may take longer, since
/// the host does other work as well.
const LIMIT: Duration = Duration::from_secs(2);
const SLOW_ONE_IN: usize = 100;

/// Arguments of `ping` for many pings at once.
pub const STORM: &str = "--sizes 0,700,1472 --count 50 --window 16 --timeout 300";

/// Sets the link up again, and waits for the interface and for one answer over it, in one process,
/// because the time is measured.
pub const COME_BACK: &str = "guest-tool come-back cfvrt0 caif0 10.9.1.1 >/dev/null";

pub fn run(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    for cycle in 0..cycles {
        let ms = one(&mut soak.vm).with_context(|| format!("crash {cycle}"))?;
        outcome.recovery_ms.push(ms);
        outcome.cycles += 1;
        if cycle % 25 == 24 {
            soak.progress("crash", cycle + 1, cycles);
            soak.check_log()?;
        }
    }
    let slow: Vec<_> = outcome
        .recovery_ms
        .iter()
        .filter(|ms| u128::from(**ms) > LIMIT.as_millis())
        .collect();
    ensure!(
        slow.len() * SLOW_ONE_IN <= outcome.recovery_ms.len(),
        "traffic was back {slow:?} ms after the modem, it may take {LIMIT:?}"
    );
    Ok(outcome)
}

/// Kills the modem while several threads open, use and close sockets.
pub fn sockets(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut connected = 0;
    for cycle in 0..cycles {
        let vm = &mut soak.vm;
        let churn = vm.start_churn()?;
        let mark = vm.kernel.mark();
        vm.modems[0].kill()?;
        vm.kernel_says(mark, "is now up")?;
        vm.modems[0].restart()?;
        vm.guest
            .ok(COME_BACK)
            .with_context(|| format!("crash {cycle}"))?;
        let out = vm.end_storm(churn)?;
        let opened = out
            .split_whitespace()
            .next()
            .and_then(|count| count.parse::<u32>().ok());
        connected += opened.with_context(|| out.clone())?;
        vm.guest.ok("guest-tool at AT")?;
        outcome.cycles += 1;
        if cycle % 16 == 15 {
            soak.check_log()?;
            soak.progress("sockets", cycle + 1, cycles);
        }
    }
    outcome.note = format!("{connected} channels");
    Ok(outcome)
}

fn one(vm: &mut Vm) -> Result<u32> {
    let storm = vm.start_storm(&format!("{MODEM} {STORM}"))?;
    // Not a wait for an event: the modem is killed at varying points of the traffic.
    thread::sleep(Duration::from_micros(fastrand::u64(0..200_000)));
    let mark = vm.kernel.mark();
    vm.modems[0].kill()?;
    vm.kernel_says(mark, "crash")?;
    vm.kernel_says(mark, "is now up")?;
    vm.modems[0].restart()?;
    let start = Instant::now();
    vm.guest.ok(COME_BACK)?;
    let took = start.elapsed();
    vm.end_storm(storm)?;
    Ok(took.as_millis() as u32)
}
