// SPDX-License-Identifier: GPL-2.0

//! Suite: interrupts that found the virtqueue of a vring while the driver came or went.
//!
//! The CPU stops right after an access; only x86 does so in a way that a module can use.

use crate::{
    control::{
        self,
        Entered, //
    },
    fake::{
        Fake,
        FakeOptions, //
    },
    traffic::passes,
    trap::touching_virtqueue, //
};
use kernel::prelude::*;

#[kernel::macros::kunit_tests(caif_virtio_doorbell_traps)]
mod tests {
    use super::*;

    /// Every virtqueue that is ever entered for a vring can be interrupted at any later time.
    #[test]
    fn interrupt_that_was_preempted_in_probe_or_removal() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        for id in [0, 1] {
            control::unbind(&fake)?;
            let entered = Entered::new();
            let note = || entered.note(&fake, id);
            touching_virtqueue(&fake, id, &note, || {
                control::bind(&fake)?;
                control::unbind(&fake)
            })?;
            let late = entered.preempted()?;
            check!(!late.is_empty(), "vring {id} never had a virtqueue");
            for late in &late {
                check!(!late.resume(), "an interrupt was heard after the end");
            }
            control::bind(&fake)?;
            passes(&fake)?;
        }
        Ok(())
    }
}
