// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The rings pass all models, and fail one when any of their barriers is missing.

use std::collections::BTreeSet;

use vring_loom::memory::{Barrier, Kind, Plan};
use vring_loom::models::{self, driver, reversed, search, Model};

/// A barrier to leave out, the model that must notice, and what it must say.
struct Mutant {
    model: Model,
    method: &'static str,
    kind: Kind,
    symptom: &'static str,
}

/// What loom says of a buffer that both sides touch at once.
const RACE: &str = "Causality violation";

const REVERSED: [Mutant; 4] = [
    Mutant {
        model: reversed::fetch,
        method: "fetch",
        kind: Kind::Rmb,
        symptom: "a stale descriptor",
    },
    Mutant {
        model: reversed::fetch,
        method: "enable_notify",
        kind: Kind::Mb,
        symptom: "no interrupt",
    },
    Mutant {
        model: reversed::publish,
        method: "publish",
        kind: Kind::Wmb,
        symptom: "a stale used element",
    },
    Mutant {
        model: reversed::publish,
        method: "publish",
        kind: Kind::Mb,
        symptom: "no kick",
    },
];

const DRIVER: [Mutant; 4] = [
    Mutant {
        model: driver::publish,
        method: "publish",
        kind: Kind::Wmb,
        symptom: "a stale descriptor",
    },
    Mutant {
        model: driver::publish,
        method: "publish",
        kind: Kind::Mb,
        symptom: "no kick",
    },
    Mutant {
        model: driver::reclaim,
        method: "reclaim",
        kind: Kind::Rmb,
        symptom: RACE,
    },
    Mutant {
        model: driver::reclaim,
        method: "enable_notify",
        kind: Kind::Mb,
        symptom: "no interrupt",
    },
];

/// All models of one ring pass, and its barriers are those of `mutants`.
fn complete(ring: &str, mutants: &[Mutant], event_idx: bool) {
    let plan = Plan::default();
    let mut ran = 0;
    for (name, model, preemptions) in models::ALL {
        if name.starts_with(ring) {
            assert_eq!(
                search(model, preemptions, &plan, event_idx),
                Ok(()),
                "{name}"
            );
            ran += 1;
        }
    }
    assert_eq!(ran, 3);
    let tried: BTreeSet<_> = mutants
        .iter()
        .map(|&Mutant { method, kind, .. }| Barrier { method, kind })
        .collect();
    let met = plan.met.lock().expect("no model panicked");
    assert_eq!(*met, tried, "each barrier needs a test without it");
}

/// Each ring that lacks one barrier fails.
fn mutants(mutants: &[Mutant], event_idx: bool) {
    for &Mutant {
        model,
        method,
        kind,
        symptom,
    } in mutants
    {
        let omit = Some(Barrier { method, kind });
        let plan = Plan {
            omit,
            ..Plan::default()
        };
        match search(model, None, &plan, event_idx) {
            Ok(()) => panic!("{method} without its {kind:?} is not noticed"),
            Err(what) if what.contains(symptom) => {}
            Err(what) => {
                panic!("{method} without its {kind:?} must bring '{symptom}', not: {what}")
            }
        }
    }
}

#[test]
fn the_reversed_ring_passes_with_flags() {
    complete("reversed", &REVERSED, false);
}

#[test]
fn the_reversed_ring_passes_with_event_idx() {
    complete("reversed", &REVERSED, true);
}

#[test]
fn the_driver_ring_passes_with_flags() {
    complete("driver", &DRIVER, false);
}

#[test]
fn the_driver_ring_passes_with_event_idx() {
    complete("driver", &DRIVER, true);
}

#[test]
fn the_reversed_ring_needs_each_barrier_with_flags() {
    mutants(&REVERSED, false);
}

#[test]
fn the_reversed_ring_needs_each_barrier_with_event_idx() {
    mutants(&REVERSED, true);
}

#[test]
fn the_driver_ring_needs_each_barrier_with_flags() {
    mutants(&DRIVER, false);
}

#[test]
fn the_driver_ring_needs_each_barrier_with_event_idx() {
    mutants(&DRIVER, true);
}
