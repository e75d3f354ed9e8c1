// SPDX-License-Identifier: GPL-2.0

//! Suite: interrupts that were preempted after they had found the virtqueue of a vring, and
//! continue after the driver is gone, or is bound to another modem.

use crate::{
    control::{
        self,
        Preempted, //
    },
    fake::{
        Fake,
        FakeOptions, //
    },
    frames::frame,
    platform::counter,
    traffic::{
        is_recovered,
        passes,
        Link, //
    }, //
};
use kernel::prelude::*;

/// Interrupts for both vrings that were preempted in the middle.
fn preempted(fake: &Fake) -> Result<[Preempted; 2]> {
    let rx = Preempted::new(fake, 0).ok_or(ENODEV)?;
    let tx = Preempted::new(fake, 1).ok_or(ENODEV)?;
    Ok([rx, tx])
}

/// Makes a chain available, so that an interrupt of the link causes a poll.
fn post(link: &mut Link<'_>) -> Result {
    link.post(&[frame(1, 60)?])?;
    link.rx.ring.publish();
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_doorbell)]
mod tests {
    use super::*;

    #[test]
    fn interrupt_that_goes_on_after_an_unbind() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        for _ in 0..3 {
            let mut link = Link::new(&fake)?;
            link.pass(1)?;
            post(&mut link)?;
            drop(link);
            let late = preempted(&fake)?;
            control::unbind(&fake)?;
            for late in &late {
                check!(!late.resume(), "an interrupt was heard after the end");
                late.resume_late();
            }
            control::bind(&fake)?;
        }
        passes(&fake)
    }

    #[test]
    fn interrupt_that_goes_on_after_the_modem_went() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        let late = preempted(&fake)?;
        fake.detach()?;
        for late in &late {
            check!(!late.resume(), "an interrupt was heard after the end");
            late.resume_late();
        }
        fake.attach()?;
        passes(&fake)
    }

    #[test]
    fn interrupt_that_goes_on_after_a_recovery() -> Result {
        let fake = Fake::recovering()?;
        let late = preempted(&fake)?;
        Link::new(&fake)?.rx.ring.fields().write_avail_idx(0x4000);
        fake.interrupt(0);
        is_recovered(&fake, 1)?;
        // The link may have the doorbell that it had before. Nothing is lost, received twice or
        // polled for without need.
        let mut link = Link::new(&fake)?;
        link.pass(1)?;
        let frames = [frame(2, 70)?];
        let heads = link.post(&frames)?;
        link.rx.ring.publish();
        for late in &late {
            late.resume();
            late.resume_late();
        }
        fake.interrupt(0);
        link.arrive(&frames, &heads)?;
        link.netdev.settle();
        let polls = counter(link.netdev, c"polls")?;
        for late in &late {
            late.resume();
            late.resume_late();
        }
        link.netdev.settle();
        check_eq!(counter(link.netdev, c"polls")?, polls, "polls without news");
        link.pass(3)?;
        check!(link.sink.is_empty(), "there are more frames");
        check_eq!(control::crashes(&fake), 1, "crashes reported");
        Ok(())
    }

    #[test]
    fn interrupt_that_goes_on_when_another_link_is_there() -> Result {
        let gone = Fake::attached(&FakeOptions::default())?;
        passes(&gone)?;
        let late = preempted(&gone)?;
        control::unbind(&gone)?;

        // It has the doorbell of the removed link: that causes a spurious poll, and nothing else.
        let other = Fake::attached(&FakeOptions::default())?;
        let mut link = Link::new(&other)?;
        link.pass(1)?;
        for seed in 2..5 {
            let frames = [frame(seed, 70)?];
            let heads = link.post(&frames)?;
            link.rx.ring.publish();
            for late in &late {
                late.resume();
                late.resume_late();
            }
            other.interrupt(0);
            link.arrive(&frames, &heads)?;
        }
        link.netdev.settle();
        let polls = counter(link.netdev, c"polls")?;
        for late in &late {
            late.resume();
        }
        link.netdev.settle();
        check_eq!(counter(link.netdev, c"polls")?, polls, "polls without news");
        drop(link);

        // The first returns while the other has its doorbell; then the other is removed.
        control::bind(&gone)?;
        let mut link = Link::new(&gone)?;
        link.pass(1)?;
        control::unbind(&other)?;
        for late in &late {
            late.resume();
            late.resume_late();
        }
        link.pass(2)
    }

    #[test]
    fn links_that_are_there_at_once_hear_their_own_interrupts() -> Result {
        let one = Fake::attached(&FakeOptions::default())?;
        let two = Fake::attached(&FakeOptions::default())?;
        for _ in 0..3 {
            let mut other = Link::new(&two)?;
            passes(&one)?;
            other.pass(1)?;
            control::unbind(&one)?;
            other.pass(2)?;
            drop(other);
            control::unbind(&two)?;
            // In the other order, so that each may get what the other had.
            control::bind(&two)?;
            control::bind(&one)?;
        }
        passes(&one)?;
        passes(&two)
    }

    #[test]
    fn transport_that_is_unbound() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        passes(&fake)?;
        let kicks = fake.record().kicks(0);
        let late = preempted(&fake)?;
        // remoteproc can neither bind it again nor remove its device any more.
        control::unbind_transport(&fake)?;
        check!(fake.find_netdev().is_none(), "the network device stayed");
        check_eq!(fake.record().kicks(0), kicks + 1, "kicks of the end");
        // The device was reset. What virtio enters then comes with the next kick.
        check_eq!(fake.status()?, 0, "status that the modem sees");
        for late in &late {
            check!(!late.resume(), "an interrupt was heard after the end");
            late.resume_late();
        }
        Ok(())
    }
}
