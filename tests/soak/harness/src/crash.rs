// SPDX-License-Identifier: GPL-2.0

//! The modem is killed at any moment under traffic, comes back, and so does the traffic.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use harness::{link::MODEM, vm::Vm};

use crate::{Soak, report::Outcome};

/// From the modem being back, as its process says, to the first answer to a ping in the guest; the
/// guest's tool and its start are part of that. One in so many cycles may take longer, as the machine
/// that all this runs on has other things to do.
const LIMIT: Duration = Duration::from_secs(2);
const SLOW_ONE_IN: usize = 100;

/// Pings as fast as they come back, until the command is told to end.
pub const STORM: &str = "--sizes 0,700,1472 --count 50 --window 16 --timeout 300";

/// Opens the interface again and waits for one answer: all in one go, as the time counts.
///
/// What the CAIF stack above does when a link comes is no part of the driver, hence the channel is
/// opened by hand.
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

fn one(vm: &mut Vm) -> Result<u32> {
    let storm = vm.start_flowing(&format!("ping {MODEM} {STORM} --seconds 1"), 60)?;
    // Any point of the traffic is as good as any other: this is no wait for something.
    thread::sleep(Duration::from_micros(fastrand::u64(0..200_000)));
    let mark = vm.kernel.mark();
    vm.modems[0].kill()?;
    vm.kernel_says(mark, "crash")?;
    vm.kernel_says(mark, "is now up")?;
    vm.modems[0].restart()?;
    let start = Instant::now();
    vm.guest.ok(COME_BACK)?;
    let took = start.elapsed();
    storm.ok()?;
    Ok(took.as_millis() as u32)
}
