// SPDX-License-Identifier: GPL-2.0

//! Suite: what the driver makes of a device, and which ones it refuses.

use crate::{
    control,
    fake::{
        Fake,
        Options, //
    },
    frames::{
        config,
        frame,
        Direction, //
    },
    modem_rx::{
        ModemRx,
        Room,
        DEFAULT_ROOM, //
    },
    modem_tx::ModemTx,
    netdev::Properties,
    sink::Sink,
    vring_layout::{
        F_EVENT_IDX,
        F_INDIRECT_DESC, //
    }, //
};
use kernel::prelude::*;

/// `ARPHRD_CAIF` of `include/uapi/linux/if_arp.h`.
const ARPHRD_CAIF: u16 = 822;
/// `VIRTIO_CONFIG_S_DRIVER_OK` of `include/uapi/linux/virtio_config.h`.
const DRIVER_OK: u8 = 4;

/// What holds for both directions without a config space.
const DEFAULT: Direction = Direction {
    headroom: 32,
    tailroom: 32,
    mtu: 4096,
};

/// Checks that the driver refuses such a device, and leaves nothing behind.
fn refused(options: &Options) -> Result {
    let fake = Fake::attached(options)?;
    check!(fake.find_netdev().is_none(), "there is a network device");
    check!(
        fake.status()? & DRIVER_OK == 0,
        "the driver said it is there"
    );
    check!(!fake.interrupt(0), "vring 0 has a virtqueue");
    check!(!fake.interrupt(1), "vring 1 has a virtqueue");
    check_eq!(fake.record().kicks(0), 0, "kicks of vring 0");
    check_eq!(fake.record().kicks(1), 0, "kicks of vring 1");
    // A second time goes the same way.
    fake.detach()?;
    fake.attach()?;
    check!(
        fake.find_netdev().is_none(),
        "there is a network device now"
    );
    Ok(())
}

/// Options with a config space.
fn with_config(uplink: Direction, downlink: Direction) -> Result<Options> {
    Ok(Options {
        config: Some(config(uplink, downlink)?),
        ..Options::default()
    })
}

/// Checks that frames pass with so much room around them, up to the largest ones.
fn passes(options: &Options, uplink: Direction, downlink: Direction) -> Result {
    let fake = Fake::attached(options)?;
    let netdev = fake.netdev()?;
    let room = |direction: Direction| Room {
        head: direction.headroom.into(),
        tail: direction.tailroom.into(),
    };
    let frame_max =
        |direction: Direction| direction.mtu as usize - room(direction).head - room(direction).tail;
    let mtu = frame_max(uplink) as u32;
    check_eq!(netdev.properties().mtu, [mtu, 128, mtu], "mtu, least, most");
    netdev.open()?;
    let sink = Sink::new(&fake)?;
    let mut rx = ModemRx::new(&fake, room(downlink))?;
    let mut tx = ModemTx::new(&fake)?;
    for len in [1, 100, frame_max(downlink)] {
        let frame = frame(len as u32, len)?;
        let buffer = rx.buffer(&frame)?;
        let head = rx.send(&[buffer])?;
        check!(sink.wait(1), "a frame of {len} bytes did not arrive");
        sink.expect(&frame)?;
        rx.expect_used(&[head])?;
    }
    for len in [1, 100, frame_max(uplink)] {
        let frame = frame(len as u32, len)?;
        check_eq!(netdev.send(&frame), 0, "result of sending");
        tx.wait(1)?;
        let sent = tx.expect(&frame, room(uplink).head, room(uplink).tail)?;
        tx.complete(&sent)?;
    }
    check_eq!(netdev.stats().rx_errors, 0, "rx_errors");
    check_eq!(netdev.stats().tx_errors, 0, "tx_errors");

    // One byte more than the largest, each way.
    let long = rx.buffer(&frame(1, frame_max(downlink) + 1)?)?;
    let head = rx.send(&[long])?;
    rx.expect_used(&[head])?;
    check_eq!(netdev.stats().rx_length_errors, 1, "rx_length_errors");
    check!(sink.is_empty(), "a frame above the MRU arrived");
    check_eq!(netdev.send(&frame(1, frame_max(uplink) + 1)?), 0, "result");
    check_eq!(netdev.stats().tx_errors, 1, "tx_errors");
    check_eq!(tx.waiting()?, 0, "frames sent");
    // It did not take a slot with it, which may be the only one.
    let short = frame(2, 1)?;
    check_eq!(netdev.send(&short), 0, "result of sending");
    tx.wait(1)?;
    let sent = tx.expect(&short, room(uplink).head, room(uplink).tail)?;
    tx.complete(&sent)?;
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_probe)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_network_device() -> Result {
        let fake = Fake::new(&Options::default())?;
        check!(fake.find_netdev().is_none(), "there is one before");
        fake.attach()?;
        let netdev = fake.netdev()?;
        check!(
            netdev.is_named(b"cfvrt"),
            "its name is not cfvrt and a number"
        );
        let wanted = Properties {
            hw_type: ARPHRD_CAIF,
            mtu: [4032, 128, 4032],
            is_p2p_noarp: true,
        };
        check_eq!(netdev.properties(), wanted, "properties");
        check!(netdev.carrier(), "the carrier is off");
        check!(fake.status()? & DRIVER_OK != 0, "the driver is not there");
        check_eq!(fake.record().kicks(0), 1, "kicks of vring 0");
        check_eq!(fake.record().kicks(1), 0, "kicks of vring 1");
        netdev.open()?;
        check!(netdev.carrier(), "the carrier is off when up");
        check_eq!(netdev.stats(), Default::default(), "counts");
        netdev.close();
        fake.detach()?;
        check!(fake.find_netdev().is_none(), "there is one after detach");
        check!(!fake.interrupt(0), "vring 0 has a virtqueue after detach");
        Ok(())
    }

    #[test]
    fn default_config() -> Result {
        passes(&Options::default(), DEFAULT, DEFAULT)
    }

    #[test]
    fn each_direction_has_its_own_config() -> Result {
        let up = Direction {
            headroom: 10,
            tailroom: 6,
            mtu: 1516,
        };
        let down = Direction {
            headroom: 100,
            tailroom: 3,
            mtu: 2003,
        };
        passes(&with_config(up, down)?, up, down)?;
        passes(&with_config(down, up)?, down, up)
    }

    #[test]
    fn config_without_rooms() -> Result {
        let bare = Direction {
            headroom: 0,
            tailroom: 0,
            mtu: 128,
        };
        passes(&with_config(bare, DEFAULT)?, bare, DEFAULT)?;
        passes(&with_config(DEFAULT, bare)?, DEFAULT, bare)
    }

    #[test]
    fn fewer_slots_when_memory_is_short() -> Result {
        // 64 MiB in one piece, which there never is.
        let large = Direction {
            mtu: 65_536,
            ..DEFAULT
        };
        let options = Options {
            num: [16, 1024],
            ..with_config(large, DEFAULT)?
        };
        passes(&options, large, DEFAULT)
    }

    #[test]
    fn smallest_rings() -> Result {
        let options = Options {
            num: [1, 1],
            align: 4,
            ..Options::default()
        };
        passes(&options, DEFAULT, DEFAULT)
    }

    #[test]
    fn takes_event_idx_and_no_indirect() -> Result {
        let fake = Fake::attached(&Options {
            features: 1 << F_EVENT_IDX | 1 << F_INDIRECT_DESC | 1 << 3,
            ..Options::default()
        })?;
        check_eq!(fake.features()?, 1 << F_EVENT_IDX, "negotiated features");
        Ok(())
    }

    #[test]
    fn refuses_config_of_another_length() -> Result {
        for len in [1, 24, 31, 33, 64] {
            refused(&Options {
                config: Some(KVec::from_elem(0, len, GFP_KERNEL)?),
                ..Options::default()
            })?;
        }
        Ok(())
    }

    #[test]
    fn refuses_bad_config() -> Result {
        let no_frame_fits = Direction {
            mtu: 32 + 32 + 127,
            ..DEFAULT
        };
        let zero = Direction {
            headroom: 0,
            tailroom: 0,
            mtu: 0,
        };
        let huge = Direction {
            mtu: u32::MAX,
            ..DEFAULT
        };
        let room_only = Direction {
            headroom: u16::MAX,
            tailroom: u16::MAX,
            mtu: 65_536,
        };
        for bad in [no_frame_fits, zero, huge, room_only] {
            refused(&with_config(bad, DEFAULT)?)?;
            refused(&with_config(DEFAULT, bad)?)?;
        }
        Ok(())
    }

    #[test]
    fn refuses_bad_vrings() -> Result {
        for num in [[100, 16], [16, 100], [3, 3], [65_536, 16]] {
            refused(&Options {
                num,
                ..Options::default()
            })?;
        }
        for align in [1, 2, 3, 100] {
            refused(&Options {
                align,
                ..Options::default()
            })?;
        }
        Ok(())
    }

    #[test]
    fn leaves_other_devices_alone() -> Result {
        refused(&Options {
            virtio_id: 99,
            ..Options::default()
        })
    }

    #[test]
    fn refuses_vring_that_lost_its_notify_id() -> Result {
        let fake = Fake::attached(&Options::default())?;
        for vring in [0, 1] {
            control::unbind(&fake)?;
            let kicks = fake.record().kicks(0);
            control::without_notify_id(&fake, vring, || {
                check_eq!(control::probe(&fake), Err(ENXIO), "result of the probe");
                check!(fake.find_netdev().is_none(), "there is a network device");
                check_eq!(fake.record().kicks(0), kicks, "kicks of vring 0");
                Ok(())
            })?;
            check_eq!(control::probe(&fake), Ok(()), "result of the probe");
            fake.netdev()?.open()?;
            let sink = Sink::new(&fake)?;
            let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
            let buffer = rx.buffer(b"found again")?;
            rx.send(&[buffer])?;
            check!(sink.wait(1), "no frame arrived");
            sink.expect(b"found again")?;
        }
        Ok(())
    }

    #[test]
    fn early_interrupts_get_nothing_wrong() -> Result {
        // The modem has interrupts for both vrings out before Linux is done with the probe.
        let fake = Fake::attached(&Options {
            answers_kicks: true,
            ..Options::default()
        })?;
        let netdev = fake.netdev()?;
        netdev.open()?;
        let sink = Sink::new(&fake)?;
        let mut rx = ModemRx::new(&fake, DEFAULT_ROOM)?;
        let buffer = rx.buffer(b"late enough")?;
        let head = rx.send(&[buffer])?;
        check!(sink.wait(1), "no frame arrived");
        sink.expect(b"late enough")?;
        rx.expect_used(&[head])
    }
}
