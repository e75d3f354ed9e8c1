// SPDX-License-Identifier: GPL-2.0

//! Suite: frames from the modem.

use crate::{
    fake::{
        Fake,
        Options, //
    },
    modem_rx::{
        ModemRx,
        DEFAULT_ROOM, //
    },
    modem_tx::ModemTx,
    sink::Sink, //
};
use kernel::prelude::*;

#[kernel::macros::kunit_tests(caif_virtio_receive)]
mod tests {
    use super::*;

    #[test]
    fn one_frame_each_way() -> Result {
        let fake = Fake::attached(&Options::default())?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let mut tx = ModemTx::new(&fake)?;

        let buffer = rx.buffer(b"to Linux")?;
        let head = rx.send(&[buffer])?;
        check!(sink.wait(1), "no frame arrived");
        sink.expect(b"to Linux")?;
        rx.expect_used(&[head])?;

        check_eq!(netdev.send(b"to the modem"), 0, "result of sending");
        tx.wait(1)?;
        let sent = tx.expect(b"to the modem", 32, 32)?;
        tx.complete(&sent)?;
        Ok(())
    }
}
