// SPDX-License-Identifier: GPL-2.0

//! Suite: probe of valid devices, and refusal of others.

use crate::{
    abstractions::bindings,
    control::{
        self,
        Entered,
        Preempted, //
    },
    fake::{
        Fake,
        FakeOptions, //
    },
    frames::{
        config,
        frame, //
    },
    link_config::Direction,
    netdev::Properties,
    traffic::{
        passes,
        Link, //
    },
    vring_mem::RingMem, //
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Relaxed, //
    }, //
};

/// The status of a device whose driver is ready.
const DRIVER_OK: u8 = bindings::VIRTIO_CONFIG_S_DRIVER_OK as u8;

/// Checks that the driver refuses such a device, each time, and leaves nothing behind.
fn refused(options: &FakeOptions) -> Result {
    let fake = Fake::attached(options)?;
    for _ in 0..2 {
        check!(fake.find_netdev().is_none(), "there is a network device");
        check!(
            fake.status()? & DRIVER_OK == 0,
            "the driver said it is there"
        );
        check!(!fake.interrupt(0), "vring 0 has a virtqueue");
        check!(!fake.interrupt(1), "vring 1 has a virtqueue");
        let kicks = [fake.record().kicks(0), fake.record().kicks(1)];
        check_eq!(kicks, [0, 0], "kicks");
        fake.detach()?;
        fake.attach()?;
    }
    Ok(())
}

/// Checks that the largest frames pass each way, and no larger ones.
fn largest_pass(options: FakeOptions, uplink: Direction, downlink: Direction) -> Result {
    let fake = Fake::attached(&FakeOptions {
        config: Some(config(uplink, downlink)?),
        ..options
    })?;
    let mut link = Link::with_config(&fake, uplink, downlink)?;
    let netdev = link.netdev;
    let mtu = uplink.frame_max();
    let [up, down] = [uplink, downlink].map(|config| config.frame_max() as usize);
    check_eq!(netdev.properties().mtu, [mtu, 128, mtu], "mtu, least, most");
    link.pass(1)?;
    let head = link.send(&frame(2, up)?)?;
    link.tx.complete(head);
    link.receive(frame(3, down)?)?;
    let errors = || {
        let stats = netdev.stats();
        [stats.rx_errors, stats.rx_length_errors, stats.tx_errors]
    };
    check_eq!(errors(), [0, 0, 0], "errors by frames that fit");

    let heads = link.post(&[frame(1, down + 1)?])?;
    link.rx.flush()?;
    link.rx.expect_used(&heads)?;
    check!(link.sink.is_empty(), "a frame above the MRU arrived");
    check_eq!(netdev.send(&frame(1, up + 1)?), 0, "result");
    check_eq!(link.tx.ring.waiting(), 0, "frames sent");
    check_eq!(errors(), [1, 1, 1], "errors by a larger frame each way");
    // The refused frame returned its slot, which may be the only one.
    link.send(&frame(2, 1)?)?;
    Ok(())
}

#[kernel::macros::kunit_tests(caif_virtio_probe)]
mod tests {
    use super::*;

    #[test]
    fn makes_a_network_device() -> Result {
        let fake = Fake::new(&FakeOptions::default())?;
        check!(fake.find_netdev().is_none(), "there is one before");
        let status = fake
            .record()
            .kick_of(0)
            .once(|| fake.status(), || fake.attach())?;
        check!(
            status & DRIVER_OK != 0,
            "the modem is kicked when the status is {status}"
        );
        let netdev = fake.netdev()?;
        check!(
            netdev.is_named(b"cfvrt"),
            "its name is not cfvrt and a number"
        );
        let wanted = Properties {
            hw_type: bindings::ARPHRD_CAIF as u16,
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
        largest_pass(FakeOptions::default(), up, down)?;
        largest_pass(FakeOptions::default(), down, up)
    }

    #[test]
    fn fewer_slots_when_memory_is_short() -> Result {
        let small = Direction::DEFAULT;
        let large = Direction {
            mtu: 65_536,
            ..small
        };
        // There is never so much memory, 64 MiB, in one piece.
        let options = FakeOptions {
            num: [16, 1024],
            ..FakeOptions::default()
        };
        largest_pass(options, large, small)
    }

    #[test]
    fn smallest_rings() -> Result {
        let options = FakeOptions {
            num: [1, 1],
            align: 4,
            ..FakeOptions::default()
        };
        largest_pass(options, Direction::DEFAULT, Direction::DEFAULT)
    }

    /// Devices that the test board or remoteproc refuse before the driver sees them.
    #[test]
    fn refuses_devices_that_no_board_has() -> Result {
        refused(&FakeOptions {
            virtio_id: 99,
            ..FakeOptions::default()
        })?;
        for num in [[100, 16], [16, 100], [3, 3], [65_536, 16]] {
            refused(&FakeOptions {
                num,
                ..FakeOptions::default()
            })?;
        }
        for align in [1, 2, 3, 100] {
            refused(&FakeOptions {
                align,
                ..FakeOptions::default()
            })?;
        }
        // The vrings begin where pages do, and one of them between two such places.
        refused(&FakeOptions {
            align: 2 * PAGE_SIZE as u32,
            ..FakeOptions::default()
        })?;
        // Only the length is wrong.
        let right = config(Direction::DEFAULT, Direction::DEFAULT)?;
        for len in [1, 24, 31, 33, 64] {
            let mut wrong = KVec::from_elem(0, len, GFP_KERNEL)?;
            for (to, from) in wrong.iter_mut().zip(&right) {
                *to = *from;
            }
            refused(&FakeOptions {
                config: Some(wrong),
                ..FakeOptions::default()
            })?;
        }
        Ok(())
    }

    /// The probe fails after it has made the queues, which must be released.
    #[test]
    fn refuses_modem_without_memory_for_frames() -> Result {
        /// More than there are links in any test.
        const PROBES: usize = 8;

        let fake = Fake::attached(&FakeOptions {
            no_heap: true,
            ..FakeOptions::default()
        })?;
        let entered = Entered::new();
        let told = AtomicFlag::new(true);
        let note = || {
            entered.note(&fake, 0);
            if fake.status() != Ok(0) {
                told.store(false, Relaxed);
            }
        };
        for _ in 0..PROBES {
            let kicks = fake.record().kicks(0);
            let result = fake
                .record()
                .kick_of(0)
                .during(&note, || control::bind(&fake));
            check_eq!(result, Err(ENOENT), "result of the probe");
            check!(fake.find_netdev().is_none(), "there is a network device");
            check_eq!(fake.record().kicks(0), kicks + 1, "kicks of vring 0");
            check!(
                told.load(Relaxed),
                "the device is not reset when it is kicked"
            );
            for vring in [0, 1] {
                check!(
                    Preempted::new(&fake, vring).is_none(),
                    "vring {vring} has a virtqueue"
                );
            }
        }
        // The doorbells are reused.
        check!(
            entered.different()? < PROBES,
            "each probe made a virtqueue of its own"
        );
        Ok(())
    }

    #[test]
    fn refuses_vring_that_lost_its_notify_id() -> Result {
        let fake = Fake::attached(&FakeOptions::default())?;
        for vring in [0, 1] {
            control::unbind(&fake)?;
            let kicks = fake.record().kicks(0);
            control::without_notify_id(&fake, vring, || {
                check_eq!(control::bind(&fake), Err(ENXIO), "result of the probe");
                check!(fake.find_netdev().is_none(), "there is a network device");
                check_eq!(fake.record().kicks(0), kicks, "kicks of vring 0");
                Ok(())
            })?;
            check_eq!(control::bind(&fake), Ok(()), "result of the probe");
            passes(&fake)?;
        }
        Ok(())
    }

    #[test]
    fn vrings_are_cleared_and_the_modem_is_told_where_they_are() -> Result {
        // The last one is not a multiple of 8 bytes long.
        for num in [[256, 256], [16, 4], [1, 1]] {
            let fake = Fake::attached(&FakeOptions {
                num,
                ..FakeOptions::default()
            })?;
            control::unbind(&fake)?;
            for vring in [0, 1] {
                let mem = fake.vring_mem(vring)?;
                for word in 0..fake.layout(vring)?.size() / 2 + 1 {
                    mem.store16(2 * word, u16::MAX);
                }
            }
            control::bind(&fake)?;
            for vring in [0, 1] {
                let (told, is) = fake.vring_da(vring)?;
                check_eq!(told, is, "address of a vring");
                let mem = fake.vring_mem(vring)?;
                let layout = fake.layout(vring)?;
                let size = layout.size();
                check!(
                    mem.load16(size - 2) == 0,
                    "the end of vring {vring} is not cleared"
                );
                check!(
                    mem.load16(size) == u16::MAX,
                    "what is behind vring {vring} is cleared"
                );
                for word in layout.avail_ring(0) / 2..layout.used_event() / 2 {
                    check!(
                        mem.load16(2 * word) == 0,
                        "word {word} of vring {vring} is not cleared"
                    );
                }
            }
            // Linux writes only to the used ring of the reversed vring.
            let layout = fake.layout(0)?;
            let mem = fake.vring_mem(0)?;
            for word in 0..layout.used_flags() / 2 {
                check!(mem.load16(2 * word) == 0, "word {word} is not cleared");
            }
            for word in layout.used_ring(0) / 2..layout.size() / 2 {
                check!(mem.load16(2 * word) == 0, "word {word} is not cleared");
            }
        }
        Ok(())
    }
}
