// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Both sides of a ring against each other.
//!
//! Each side does what it can and then, when a second look after asking for a notification finds
//! nothing, sleeps for good. What is left then must have been notified.

pub mod driver;
pub mod flow;
pub mod news;
pub mod reversed;
pub mod slot;

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::memory::Plan;
use crate::vring_mem::Features;

/// Buffers that one side offers the other in each model.
const BUFFERS: u16 = 2;

/// What runs in all orders, and panics inside of loom when something goes wrong.
pub type Model = fn(&Plan, Features);

/// How often the threads of a model are interrupted in one order, at most, where all orders would
/// take minutes.
const PREEMPTIONS: Option<usize> = Some(4);

/// All of them, by name, with how far they are searched.
pub const ALL: [(&str, Model, Option<usize>); 6] = [
    ("reversed: fetch", reversed::fetch, None),
    ("reversed: publish", reversed::publish, None),
    ("reversed: round trip", reversed::round_trip, PREEMPTIONS),
    ("driver: publish", driver::publish, None),
    ("driver: reclaim", driver::reclaim, None),
    ("driver: round trip", driver::round_trip, PREEMPTIONS),
];

/// Searches a model in all orders, or those with so many preemptions. Returns what went wrong in
/// one of them.
pub fn search(
    model: Model,
    preemptions: Option<usize>,
    plan: &Plan,
    event_idx: bool,
) -> Result<(), String> {
    let plan = plan.clone();
    let features = Features { event_idx };
    search_with(preemptions, move || model(&plan, features))
}

/// What a variable that the protocol stack shares, or its user, can lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// Nothing.
    Nothing,
    /// The order of what precedes and follows a change.
    Order,
    /// The order of what follows a look-up.
    Acquire,
    /// That nothing comes between comparing and changing.
    Atomicity,
    /// The comparison.
    Identity,
    /// The lock around a change and what is told of it.
    Lock,
}

/// Searches a model of the protocol stack in all orders. Returns what went wrong in one of them.
pub fn search_stack(model: fn(Lacks), lacks: Lacks) -> Result<(), String> {
    search_with(None, move || model(lacks))
}

/// Searches what `model` does in all orders, or in those with so many preemptions. Returns what went
/// wrong in one of them.
fn search_with(
    preemptions: Option<usize>,
    model: impl Fn() + Send + Sync + 'static,
) -> Result<(), String> {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    // A thread of its own: what loom keeps of a model that failed ends with it.
    let search = std::thread::spawn(move || {
        catch_unwind(AssertUnwindSafe(|| builder.check(model))).map_err(|what| {
            what.downcast_ref::<String>()
                .cloned()
                .or_else(|| what.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_else(|| "a panic without a message".to_owned())
        })
    });
    search
        .join()
        .unwrap_or_else(|_| Err("a panic while ending".to_owned()))
}

/// Ends the model if one side sleeps with `seen` of `offered` things done and was not woken for the
/// next one.
fn woken(by: &str, seen: u16, offered: &[bool]) {
    if let Some(notified) = offered.get(usize::from(seen)) {
        assert!(
            notified,
            "no {by}: asleep with {seen} of {} seen",
            offered.len()
        );
    }
}
