// SPDX-License-Identifier: GPL-2.0

//! What many suites do with a modem: pass frames, wait for recovery.

use crate::{
    control,
    fake::Fake,
    frames::frame,
    modem_rx::{
        ModemRx,
        DEFAULT_ROOM, //
    },
    modem_tx::ModemTx,
    sink::Sink, //
};
use kernel::prelude::*;

/// Room on both sides of a frame without a config space.
pub const ROOM: usize = 32;
/// Segments of a chain that takes two polls.
pub const LONG: usize = 100;

/// Passes a frame each way, by vrings that nobody has used yet.
pub fn passes(fake: &Fake) -> Result {
    let netdev = fake.netdev()?;
    netdev.open()?;
    let sink = Sink::new(fake)?;
    let mut rx = ModemRx::new(fake, DEFAULT_ROOM)?;
    let mut tx = ModemTx::new(fake)?;
    let frame = frame(7, 99)?;
    let buffer = rx.buffer(&frame)?;
    let head = rx.send(&[buffer])?;
    check!(sink.wait(1), "no frame arrived");
    sink.expect(&frame)?;
    rx.expect_used(&[head])?;
    check_eq!(netdev.send(&frame), 0, "result of sending");
    tx.wait(1)?;
    let sent = tx.expect(&frame, ROOM, ROOM)?;
    tx.complete(&sent)?;
    Ok(())
}

/// Waits until the modem was recovered for the `times`th time, and passes a frame each way.
pub fn comes_back(fake: &Fake, times: u32) -> Result {
    check!(
        fake.record().wait(|record| record.is_up(times + 1)),
        "not recovered, attached {} times",
        fake.record().attaches()
    );
    check_eq!(control::crashes(fake), times, "crashes reported");
    passes(fake)
}

/// The modem's side of the vring to send by, with the byte queue limits out of the way.
pub fn without_limits(fake: &Fake) -> Result<ModemTx<'_>> {
    let netdev = fake.netdev()?;
    netdev.lift_byte_limits();
    let mut tx = ModemTx::new(fake)?;
    // The limits go by a first completion.
    let frame = frame(0, 60)?;
    check_eq!(netdev.send(&frame), 0, "result of sending");
    let sent = tx.expect(&frame, ROOM, ROOM)?;
    check!(tx.complete(&sent)?, "no interrupt is wanted at the limit");
    netdev.settle();
    Ok(tx)
}

/// Posts a chain that takes two polls, and returns its frames and its head.
pub fn post_long(rx: &mut ModemRx<'_>) -> Result<(KVec<KVec<u8>>, u16)> {
    let mut frames = KVec::new();
    let mut buffers = KVec::new();
    for i in 0..LONG {
        let frame = frame(i as u32, 40)?;
        buffers.push(rx.buffer(&frame)?, GFP_KERNEL)?;
        frames.push(frame, GFP_KERNEL)?;
    }
    let head = rx.post(&buffers)?;
    rx.publish()?;
    Ok((frames, head))
}
