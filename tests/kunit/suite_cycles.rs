// SPDX-License-Identifier: GPL-2.0

//! Suite: coming and going, with traffic and interrupts that do not wait for it.

use crate::{
    control,
    fake::{
        Fake,
        Options, //
    },
    frames::frame,
    modem_rx::{
        ModemRx,
        DEFAULT_ROOM, //
    },
    modem_tx::ModemTx,
    sink::Sink,
    storm::Storm, //
};
use kernel::prelude::*;

/// How often to come and go.
const CYCLES: u32 = 20;

/// Passes frames both ways, and leaves some of each kind under way.
fn traffic(fake: &Fake, seed: u32) -> Result {
    let netdev = fake.netdev()?;
    netdev.open()?;
    let sink = Sink::new(fake)?;
    let mut rx = ModemRx::new(fake, DEFAULT_ROOM)?;
    let mut tx = ModemTx::new(fake)?;
    for i in 0..3 {
        let frame = frame(seed + i, 64)?;
        let buffer = rx.buffer(&frame)?;
        let head = rx.send(&[buffer, buffer])?;
        check!(sink.wait(2), "{} frames arrived, not 2", sink.len());
        sink.expect(&frame)?;
        sink.expect(&frame)?;
        rx.expect_used(&[head])?;
        check_eq!(netdev.send(&frame), 0, "result of sending");
        tx.wait(1)?;
        let sent = tx.expect(&frame, 32, 32)?;
        tx.complete(&sent)?;
    }
    for i in 0..5 {
        netdev.send(&frame(seed + i, 64)?);
        let buffer = rx.buffer(&frame(seed + i, 64)?)?;
        rx.post(&[buffer])?;
    }
    rx.publish()?;
    // Some are received, some are not, and no slot comes back.
    control::with_irqs_off(|| fake.interrupt(0));
    Ok(())
}

/// Checks that there is no network device and nobody who takes interrupts.
fn gone(fake: &Fake) -> Result {
    check!(fake.find_netdev().is_none(), "there is a device left");
    check!(!fake.interrupt(0), "vring 0 has a virtqueue");
    check!(!fake.interrupt(1), "vring 1 has a virtqueue");
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_cycles)]
mod tests {
    use super::*;

    #[test]
    fn unbind_and_bind_in_a_storm() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let storm = Storm::begin(&fake)?;
        for cycle in 0..CYCLES {
            traffic(&fake, cycle)?;
            control::unbind(&fake)?;
            check!(fake.find_netdev().is_none(), "there is a device left");
            check!(control::bind(&fake)?, "the driver does not bind again");
        }
        check!(storm.hits() > 0, "no interrupt of the storm was heard");
        drop(storm);
        control::unbind(&fake)?;
        gone(&fake)
    }

    #[test]
    fn detach_and_attach_in_a_storm() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let storm = Storm::begin(&fake)?;
        for cycle in 0..CYCLES {
            traffic(&fake, cycle)?;
            fake.detach()?;
            check!(fake.find_netdev().is_none(), "there is a device left");
            fake.attach()?;
        }
        check!(storm.hits() > 0, "no interrupt of the storm was heard");
        Ok(())
    }

    #[test]
    fn up_and_down_in_a_storm() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        let storm = Storm::begin(&fake)?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        for i in 0..100 {
            let frame = frame(i, 64)?;
            let buffer = rx.buffer(&frame)?;
            let head = rx.post(&[buffer])?;
            rx.publish()?;
            netdev.open()?;
            check!(sink.wait(1), "frame {i} did not arrive");
            sink.expect(&frame)?;
            rx.expect_used(&[head])?;
            rx.free_buffers();
            netdev.close();
        }
        check!(storm.hits() > 0, "no interrupt of the storm was heard");
        Ok(())
    }
}
