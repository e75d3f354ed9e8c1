// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A host that writes anything at any time: the modem gets frames or an error, and works again
//! afterwards.

mod common;

use common::{Host, POOL, STATUS_READY, VRING_DA, frame, table};
use firmware::{MARK_DA, table::TABLE_DA};
use link::Link;
use modem_ring::{Desc, Used};
use rand::{Rng, SeedableRng, rngs::SmallRng};

/// Returns a random word: small numbers pass the first checks, and large ones are at the limits.
fn word(rng: &mut SmallRng) -> u16 {
    match rng.random_range(0..3) {
        0 => rng.random_range(0..20),
        1 => rng.random_range(65530..=u16::MAX),
        _ => rng.random(),
    }
}

/// Returns an address near to what the modem reads, with room for writes of up to 40 bytes.
fn place(rng: &mut SmallRng) -> u64 {
    let vring = u64::from(VRING_DA[rng.random_range(0..2)]);
    match rng.random_range(0..12) {
        0..2 => u64::from(TABLE_DA) + rng.random_range(0..130),
        2 => u64::from(MARK_DA) + rng.random_range(0..8),
        // Descriptors and the available ring, and the used ring.
        3..7 => vring + rng.random_range(0..300),
        7..11 => vring + 4096 + rng.random_range(0..160),
        _ => POOL + rng.random_range(0..100),
    }
}

/// Returns an address of a buffer.
fn address(rng: &mut SmallRng) -> u64 {
    match rng.random_range(0..8) {
        0 => rng.random(),
        1 => rng.random_range(u64::MAX - 64..=u64::MAX),
        2 => rng.random_range(0x80ff_ff00..0x8100_0010),
        3 => rng.random_range(0x7fff_ffc0..0x8000_0040),
        _ => POOL + rng.random_range(0..200),
    }
}

/// Opens a link if the present table allows it.
fn open(host: &Host) -> Option<Link> {
    let table = host.find().ok()?.ready(&host.memory).ok()??;
    Link::open(&host.memory, &table, 3, 1).ok()
}

/// Does something as the host or as the modem. Returns whether the modem begins anew.
fn act(host: &Host, link: &mut Option<Link>, posted: &mut u16, rng: &mut SmallRng) -> bool {
    let (rx, tx) = (host.fields(0), host.fields(1));
    match rng.random_range(0..22) {
        0..2 => {
            let bytes: Vec<u8> = (0..rng.random_range(1..40)).map(|_| rng.random()).collect();
            host.memory.write(place(rng), &bytes).unwrap();
        }
        2..4 => {
            let ring = if rng.random() { &rx } else { &tx };
            let value = word(rng);
            match rng.random_range(0..8) {
                0 => ring.write_avail_flags(value),
                1 => ring.write_avail_idx(value),
                2 => ring.write_avail(rng.random(), value),
                3 => ring.write_used_event(value),
                4 => ring.write_used_flags(value),
                5 => ring.write_used_idx(value),
                6 => ring.write_avail_event(value),
                _ => {
                    let (id, len) = (value.into(), 0);
                    ring.write_used(rng.random(), Used { id, len });
                }
            }
        }
        4..8 => {
            let index = word(rng);
            let desc = Desc {
                addr: address(rng),
                len: match rng.random() {
                    true => rng.random_range(0..300),
                    false => rng.random(),
                },
                flags: rng.random_range(0..8),
                next: word(rng),
            };
            tx.write_desc(index, desc);
            tx.write_avail(*posted, index);
            *posted = posted.wrapping_add(1);
            tx.write_avail_idx(*posted);
        }
        // The host returns what it got first, as it should.
        8..12 => {
            let (used, chains) = (rx.used_idx(), rng.random_range(0..6));
            for place in (0..chains).map(|i| used.wrapping_add(i)) {
                let (id, len) = (rx.avail(place).into(), 0);
                rx.write_used(place, Used { id, len });
            }
            rx.write_used_idx(used.wrapping_add(chains));
        }
        12..17 => {
            if let Some(link) = link {
                for number in 0..rng.random_range(0..20) {
                    link.downlink.queue(frame::make(number, 200));
                }
                return link.downlink.flush().is_err();
            }
        }
        17..21 => {
            if let Some(link) = link {
                return link.uplink.receive(|got| assert!(got.len() >= 2)).is_err()
                    || link.was_reset().is_err();
            }
        }
        _ => return true,
    }
    false
}

#[test]
fn no_host_ends_the_modem() {
    let mut host = Host::load(table(16, 16, 256, true));
    // Numbers of links that came up, and of those that ended by an error.
    let (mut links, mut ends) = (0, 0);
    for seed in 0..4000 {
        println!("seed {seed}");
        let mut rng = SmallRng::seed_from_u64(seed);
        host.table = table(16, 16, 256, rng.random());
        host.clear_start();
        let mut link = open(&host);
        assert!(link.is_some());
        let mut posted = 0;
        for _ in 0..rng.random_range(1..60) {
            // A call that fails ends the link, as it does in the modem.
            if act(&host, &mut link, &mut posted, &mut rng) {
                ends += u32::from(link.is_some());
                link = open(&host);
                links += u32::from(link.is_some());
                // The result of a driver on rings of its own.
                posted = 0;
            }
        }
    }
    assert!(links > 1000 && ends > 1000, "{links} links, {ends} ends");
}

impl Host {
    /// Restores everything that a case may have written.
    fn clear_start(&self) {
        let mut fresh = self.table.to_bytes();
        fresh.extend([0; 200]);
        self.memory.write(u64::from(TABLE_DA), &fresh).unwrap();
        self.memory.write(MARK_DA.into(), &firmware::MARK).unwrap();
        for da in VRING_DA {
            self.memory.write(da.into(), &[0; 8192]).unwrap();
        }
        self.memory.write(POOL, &[0; 400]).unwrap();
        self.place_rings();
        self.set_features(self.table.features);
        self.set_status(STATUS_READY);
    }
}
