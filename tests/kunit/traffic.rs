// SPDX-License-Identifier: GPL-2.0

//! Common actions of the suites: pass frames, wait for recovery.

use crate::{
    control,
    fake::Fake,
    frames::frame,
    link_config::Direction,
    modem_rx::ModemRx,
    modem_tx::ModemTx,
    netdev::DriverNetdev,
    sink::Sink, //
};
use kernel::prelude::*;

/// Segments of a chain that takes two polls.
pub(crate) const LONG: usize = 100;

/// A link in use, seen from both of its ends.
pub(crate) struct Link<'a> {
    pub(crate) netdev: DriverNetdev<'a>,
    pub(crate) sink: Pin<KBox<Sink<'a>>>,
    pub(crate) rx: ModemRx<'a>,
    pub(crate) tx: ModemTx<'a>,
}

impl<'a> Link<'a> {
    /// Sets the network device of a modem up, whose vrings must be unused since Linux set them up.
    pub(crate) fn new(fake: &'a Fake) -> Result<Self> {
        Self::with_config(fake, Direction::DEFAULT, Direction::DEFAULT)
    }

    /// Does the same with buffers of this config.
    pub(crate) fn with_config(
        fake: &'a Fake,
        uplink: Direction,
        downlink: Direction,
    ) -> Result<Self> {
        let netdev = fake.netdev()?;
        netdev.open()?;
        Ok(Self {
            netdev,
            sink: Sink::new(fake)?,
            rx: ModemRx::new(fake, downlink)?,
            tx: ModemTx::new(fake, uplink)?,
        })
    }

    /// Makes a chain of each frame available without publishing it, and returns their heads.
    pub(crate) fn post(&mut self, frames: &[KVec<u8>]) -> Result<KVec<u16>> {
        let mut heads = KVec::new();
        for frame in frames {
            let buffer = self.rx.buffer(frame)?;
            heads.push(self.rx.post(&[buffer])?, GFP_KERNEL)?;
        }
        Ok(heads)
    }

    /// Checks that these frames arrive next, and that the chains with these heads return.
    pub(crate) fn arrive(&mut self, frames: &[KVec<u8>], heads: &[u16]) -> Result {
        self.sink.expect(frames)?;
        self.rx.expect_used(heads)?;
        self.rx.free_buffers();
        Ok(())
    }

    /// Passes a frame to Linux.
    pub(crate) fn receive(&mut self, frame: KVec<u8>) -> Result {
        let frames = [frame];
        let heads = self.post(&frames)?;
        self.rx.flush()?;
        self.arrive(&frames, &heads)
    }

    /// Sends a frame, and takes it from the vring.
    pub(crate) fn send(&mut self, frame: &[u8]) -> Result<u16> {
        check_eq!(self.netdev.send(frame), 0, "result of sending");
        self.tx.wait(1)?;
        Ok(self.tx.expect(frame)?.head)
    }

    /// Passes some frames each way.
    pub(crate) fn pass(&mut self, seed: u32) -> Result {
        for seed in (seed..).take(3) {
            let frame = frame(seed, 99)?;
            let head = self.send(&frame)?;
            self.tx.complete(head);
            self.receive(frame)?;
        }
        Ok(())
    }

    /// Sends as many frames as there are slots, and takes and returns them without publishing that.
    pub(crate) fn fill_and_return(&mut self, slots: u16) -> Result {
        for number in 0..slots {
            let frame = frame(number.into(), 60)?;
            check_eq!(self.netdev.send(&frame), 0, "result of sending");
        }
        self.tx.wait(slots)?;
        self.tx.put_back(slots)
    }

    /// Keeps the byte queue limits, which begin at a single packet, from stopping the queue.
    pub(crate) fn lift_byte_limits(&mut self) -> Result {
        self.netdev.lift_byte_limits();
        // The limits go by a first completion.
        let head = self.send(&frame(0, 60)?)?;
        check!(
            self.tx.complete(head),
            "no interrupt is wanted at the limit"
        );
        self.netdev.settle();
        Ok(())
    }

    /// Posts a chain that takes two polls, and returns its frames and its head.
    pub(crate) fn post_long(&mut self) -> Result<(KVec<KVec<u8>>, u16)> {
        let mut frames = KVec::new();
        let mut buffers = KVec::new();
        for i in 0..LONG {
            let frame = frame(i as u32, 40)?;
            buffers.push(self.rx.buffer(&frame)?, GFP_KERNEL)?;
            frames.push(frame, GFP_KERNEL)?;
        }
        let head = self.rx.post(&buffers)?;
        self.rx.ring.publish();
        Ok((frames, head))
    }
}

/// Passes frames each way, by unused vrings.
pub(crate) fn passes(fake: &Fake) -> Result {
    Link::new(fake)?.pass(7)
}

/// Waits until the modem was recovered for the `times`th time, and checks that there were no other
/// crashes.
pub(crate) fn is_recovered(fake: &Fake, times: u32) -> Result {
    check!(
        fake.record().wait(|record| record.is_up(times + 1)),
        "not recovered, attached {} times",
        fake.record().attaches()
    );
    check_eq!(control::crashes(fake), times, "crashes reported");
    Ok(())
}

/// Does the same, and passes frames each way.
pub(crate) fn comes_back(fake: &Fake, times: u32) -> Result {
    is_recovered(fake, times)?;
    passes(fake)
}
