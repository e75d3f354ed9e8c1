// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Both sides of a ring against each other.
//!
//! Each side works until a second look after enabling notifications finds nothing, and then sleeps.
//! For anything that is left then there must have been a notification.

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

/// The body of a model, which loom runs in all orders and which panics on an error.
pub type Model = fn(&Plan, Features);

/// Most preemptions in one order, for models of which all orders would take minutes.
const PREEMPTIONS: Option<usize> = Some(4);

/// All models, by name, with the bound of their search.
pub const ALL: [(&str, Model, Option<usize>); 6] = [
    ("reversed: fetch", reversed::fetch, None),
    ("reversed: publish", reversed::publish, None),
    ("reversed: round trip", reversed::round_trip, PREEMPTIONS),
    ("driver: publish", driver::publish, None),
    ("driver: reclaim", driver::reclaim, None),
    ("driver: round trip", driver::round_trip, PREEMPTIONS),
];

/// Searches a model in all orders, or up to a number of preemptions. Returns the error of a failed
/// order.
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

/// The property that a shared variable of the protocol stack, or its user, lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacks {
    /// Nothing.
    Nothing,
    /// The full barrier of a change.
    Order,
    /// The acquire ordering of a look-up.
    Acquire,
    /// The atomicity of comparison and change.
    Atomicity,
    /// The comparison.
    Identity,
    /// The lock around a change and its notification.
    Lock,
}

/// Searches a model of the protocol stack in all orders. Returns the error of a failed order.
pub fn search_stack(model: fn(Lacks), lacks: Lacks) -> Result<(), String> {
    search_with(None, move || model(lacks))
}

/// Runs `model` in all orders, or up to a number of preemptions. Returns the error of a failed
/// order.
fn search_with(
    preemptions: Option<usize>,
    model: impl Fn() + Send + Sync + 'static,
) -> Result<(), String> {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    // In a thread of its own, since loom's state of a failed model ends with the thread.
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

/// Fails the model if a side sleeps after `seen` of `offered` buffers and was not notified of the
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
