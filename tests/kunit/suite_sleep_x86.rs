// SPDX-License-Identifier: GPL-2.0

//! Suite: suspend while frames are sent without a queueing discipline.
//!
//! The CPU stops right after an access; only x86 does so in a way that a module can use.

use crate::{
    control,
    fake::{
        Fake,
        FakeOptions, //
    },
    frames::frame,
    netdev::FREED,
    platform::{
        sleep,
        Sleep, //
    },
    scope,
    traffic::Link,
    trap::touching_state, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Full,
        Relaxed, //
    }, //
};

#[kernel::macros::kunit_tests(caif_virtio_sleep_traps)]
mod tests {
    use super::*;

    /// The frame is sent after the device was marked as absent and before its queue is stopped. It
    /// reclaims slots, which wakes a stopped queue.
    #[test]
    fn frame_that_is_sent_while_the_device_is_detached() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&fake)?;
        link.lift_byte_limits()?;
        let netdev = link.netdev;
        let kept = link.send(&frame(1, 60)?)?;
        let frame = frame(2, 60)?;
        let [detached, inside, over] = [const { AtomicFlag::new(false) }; 3];

        link.tx.ring.put_used(kept.into(), 0);
        let vring = fake.vring(1)?;
        let used = vring.used_idx();
        let in_the_middle = || {
            vring.write_used_idx(used.wrapping_add(1));
            inside.store(true, Relaxed);
            control::spin_for(1000, || netdev.is_stopped());
        };
        let send = || {
            while !detached.load(Relaxed) && !over.load(Relaxed) {
                control::relax();
            }
            netdev.send_directly(&frame);
        };
        let touched = || {
            if !netdev.is_present() && !detached.xchg(true, Full) {
                control::spin_for(1000, || inside.load(Relaxed));
            }
        };
        FREED.during(&in_the_middle, || {
            scope::beside(&send, || {
                let slept = touching_state(netdev, &touched, || sleep(&fake, Sleep::Suspend));
                over.store(true, Relaxed);
                slept
            })
        })??;
        check!(detached.load(Relaxed), "nobody saw the device go");
        check!(netdev.is_stopped(), "the queue runs while asleep");

        sleep(&fake, Sleep::Resume)?;
        link.tx.flush();
        link.pass(3)
    }
}
