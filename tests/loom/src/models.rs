// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Both sides of a ring against each other.
//!
//! Each side does what it can and then, when a second look after asking for a notification finds
//! nothing, sleeps for good. What is left then must have been notified.

pub mod driver;
pub mod reversed;

use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::memory::Plan;
use crate::vring_mem::Features;

/// Buffers that one side offers the other in each model.
const BUFFERS: u16 = 2;

/// A model, which panics inside of loom when something goes wrong.
pub type Model = fn(&Plan, Features);

/// All of them, by name.
pub const ALL: [(&str, Model); 6] = [
    ("reversed: fetch", reversed::fetch),
    ("reversed: publish", reversed::publish),
    ("reversed: round trip", reversed::round_trip),
    ("driver: publish", driver::publish),
    ("driver: reclaim", driver::reclaim),
    ("driver: round trip", driver::round_trip),
];

/// Searches a model in all orders. Returns what went wrong in one of them.
pub fn search(model: Model, plan: &Plan, event_idx: bool) -> Result<(), String> {
    let plan = plan.clone();
    // A thread of its own: what loom keeps of a model that failed ends with it.
    let search = std::thread::spawn(move || {
        let features = Features { event_idx };
        catch_unwind(AssertUnwindSafe(|| {
            loom::model(move || model(&plan, features));
        }))
        .map_err(|what| {
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
