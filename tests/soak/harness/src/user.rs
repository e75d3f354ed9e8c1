// SPDX-License-Identifier: GPL-2.0

//! A hostile user, for an hour in all: random calls, with another seed in each cycle.

use anyhow::Result;
use harness::hostile_user::Against;

use crate::{Soak, report::Outcome};

/// The time of a cycle.
const SECONDS: u64 = 10;

fn run(soak: &mut Soak, cycles: u32, against: Against) -> Result<Outcome> {
    for cycle in 0..cycles {
        // A failure prints the seed, so that it can be repeated.
        let seed = fastrand::u64(..1_000_000);
        let table = against.run(&mut soak.vm, seed, SECONDS)?;
        soak.check_log()?;
        if cycle == 0 {
            eprintln!("{table}");
        }
        if cycle % 10 == 9 {
            soak.progress(&format!("{against:?}"), cycle + 1, cycles);
        }
    }
    Ok(Outcome::new(cycles))
}

pub fn modem(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    run(soak, cycles, Against::Modem)
}

pub fn noise(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    run(soak, cycles, Against::Noise)
}

pub fn silence(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    run(soak, cycles, Against::Silence)
}

pub fn faults(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    run(soak, cycles, Against::Faults)
}

pub fn stack_faults(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    run(soak, cycles, Against::StackFaults)
}

pub fn links(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    run(soak, cycles, Against::Links)
}

pub fn tun(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    run(soak, cycles, Against::Tun)
}
