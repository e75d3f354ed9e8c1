// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The rings pass all models, and fail one when any of their barriers is missing.

use std::collections::BTreeSet;

use vring_loom::memory::Kind::{self, Mb, Rmb, Wmb};
use vring_loom::memory::{Barrier, Plan};
use vring_loom::models::{self, driver, reversed, search, Model};

/// A barrier to leave out, by method and kind, the model that must fail, and its error.
type Mutant = (&'static str, Kind, Model, &'static str);

/// loom's error for a buffer that both sides access at once.
const RACE: &str = "Causality violation";

const REVERSED: [Mutant; 4] = [
    ("fetch", Rmb, reversed::fetch, "a stale descriptor"),
    ("enable_notify", Mb, reversed::fetch, "no interrupt"),
    ("publish", Wmb, reversed::publish, "a stale used element"),
    ("publish", Mb, reversed::publish, "no kick"),
];

const DRIVER: [Mutant; 4] = [
    ("publish", Wmb, driver::publish, "a stale descriptor"),
    ("publish", Mb, driver::publish, "no kick"),
    ("reclaim", Rmb, driver::reclaim, RACE),
    ("enable_notify", Mb, driver::reclaim, "no interrupt"),
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
        .map(|&(method, kind, ..)| Barrier { method, kind })
        .collect();
    let met = plan.met.lock().expect("no model panicked");
    assert_eq!(*met, tried, "each barrier needs a test without it");
}

/// Each ring that lacks one barrier fails.
fn mutants(mutants: &[Mutant], event_idx: bool) {
    for &(method, kind, model, symptom) in mutants {
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

/// One test for each of these, as each takes a while.
macro_rules! tests {
    ($($name:ident: $check:ident($($arg:expr),+);)+) => {
        $(
            #[test]
            fn $name() {
                $check($($arg),+);
            }
        )+
    };
}

tests! {
    the_reversed_ring_passes_with_flags: complete("reversed", &REVERSED, false);
    the_reversed_ring_passes_with_event_idx: complete("reversed", &REVERSED, true);
    the_driver_ring_passes_with_flags: complete("driver", &DRIVER, false);
    the_driver_ring_passes_with_event_idx: complete("driver", &DRIVER, true);
    the_reversed_ring_needs_each_barrier_with_flags: mutants(&REVERSED, false);
    the_reversed_ring_needs_each_barrier_with_event_idx: mutants(&REVERSED, true);
    the_driver_ring_needs_each_barrier_with_flags: mutants(&DRIVER, false);
    the_driver_ring_needs_each_barrier_with_event_idx: mutants(&DRIVER, true);
}
