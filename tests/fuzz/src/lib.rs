// SPDX-License-Identifier: GPL-2.0

//! Fuzz targets: functions that take any bytes and panic if the tested code is wrong.
//!
//! Each target has an oracle of its own, to find more than panics: a reference that interprets the
//! same accesses to the ring ([`reversed`], [`driver`]), formulas of the specification
//! ([`layout`]), invariants of a state ([`at`]), the inverse function ([`wire`]), another reader of the same input ([`table`]), a
//! model ([`stack`]).
//!
//! How to run:
//!
//! - `tests/fuzz/run` replays the committed corpus, then lets libFuzzer look for more.
//! - `cargo test --profile fuzz -p caif-fuzz` replays the committed corpus, without libFuzzer.
//! - `CAIF_FUZZ_INPUT=FILE cargo test --profile fuzz -p caif-fuzz TARGET` replays one input.

#![forbid(unsafe_code)]

pub use vring_host_tests::reference::{driver, input, layout, reversed};
pub use vring_host_tests::stack;

pub mod at;
pub mod table;
pub mod wire;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// All targets by name, which is that of the folder in `corpus` and of the program.
pub const TARGETS: [(&str, Target); 8] = [
    ("at_model", at::fuzz),
    ("caif_wire", wire::fuzz),
    ("resource_table", table::fuzz),
    ("stack_control", |input| {
        stack::control::fuzz(input);
    }),
    ("stack_rfm", |input| {
        stack::rfm::fuzz(input);
    }),
    ("vring_driver", |input| {
        driver::fuzz(input);
    }),
    ("vring_layout", layout::fuzz),
    ("vring_reversed", |input| {
        reversed::fuzz(input);
    }),
];
