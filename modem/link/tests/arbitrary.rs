// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Whatever a host writes, and whenever: the modem gets frames or an error, and lives on.

mod common;

use common::{EVENT_IDX, Host, POOL, VDEV, VRING_DA, frame, table};
use firmware::{MARK_DA, table::TABLE_DA};
use kernel_pure::vring_layout::Layout;
use link::Link;
use proptest::{collection::vec, prelude::*};

/// Something that the host or the modem does.
#[derive(Clone, Debug)]
enum Act {
    /// The host writes bytes.
    Write { da: u64, bytes: Vec<u8> },
    /// The host stores 16 bits in a ring, where they mean something.
    Store {
        vring: usize,
        field: Field,
        value: u16,
    },
    /// The host makes a descriptor of the uplink available.
    Post {
        desc: u16,
        da: u64,
        len: u32,
        flags: u16,
        next: u16,
    },
    /// The host returns what it got first, as it should.
    Return { chains: u16 },
    /// The modem queues frames and moves what it can.
    Send { frames: u8 },
    /// The modem takes what the host sent.
    Receive,
    /// The modem begins anew.
    Reopen,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    AvailFlags,
    AvailIdx,
    AvailRing(u16),
    UsedEvent,
    UsedFlags,
    UsedIdx,
    UsedId(u16),
    AvailEvent,
}

impl Field {
    fn offset(self, layout: &Layout) -> usize {
        match self {
            Self::AvailFlags => layout.avail_flags(),
            Self::AvailIdx => layout.avail_idx(),
            Self::AvailRing(index) => layout.avail_ring(index),
            Self::UsedEvent => layout.used_event(),
            Self::UsedFlags => layout.used_flags(),
            Self::UsedIdx => layout.used_idx(),
            Self::UsedId(index) => layout.used_ring(index),
            Self::AvailEvent => layout.avail_event(),
        }
    }
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(Field::AvailFlags),
        Just(Field::AvailIdx),
        any::<u16>().prop_map(Field::AvailRing),
        Just(Field::UsedEvent),
        Just(Field::UsedFlags),
        Just(Field::UsedIdx),
        any::<u16>().prop_map(Field::UsedId),
        Just(Field::AvailEvent),
    ]
}

/// Small numbers pass the first checks, and large ones are at the edges.
fn word() -> impl Strategy<Value = u16> {
    prop_oneof![0..20u16, any::<u16>(), 65530..=u16::MAX]
}

/// A place near to what the modem reads.
fn place() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => u64::from(TABLE_DA)..u64::from(TABLE_DA) + 130,
        1 => u64::from(MARK_DA)..u64::from(MARK_DA) + 8,
        // Of the smallest ring that the tests use, descriptors and indices.
        4 => (0..2usize, 0..300u64).prop_map(|(vring, at)| u64::from(VRING_DA[vring]) + at),
        4 => (0..2usize, 0..160u64).prop_map(|(vring, at)| u64::from(VRING_DA[vring]) + 4096 + at),
        1 => POOL..POOL + 100,
    ]
}

fn address() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => POOL..POOL + 200,
        1 => any::<u64>(),
        1 => u64::MAX - 64..=u64::MAX,
        1 => 0x80ff_ff00..0x8100_0010u64,
        1 => 0x7fff_ffc0..0x8000_0040u64,
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => (place(), vec(any::<u8>(), 1..40)).prop_map(|(da, bytes)| Act::Write { da, bytes }),
        2 => (0..2usize, field(), word())
            .prop_map(|(vring, field, value)| Act::Store { vring, field, value }),
        4 => (word(), address(), prop_oneof![0..300u32, any::<u32>()], 0..8u16, word())
            .prop_map(|(desc, da, len, flags, next)| Act::Post { desc, da, len, flags, next }),
        4 => (0..6u16).prop_map(|chains| Act::Return { chains }),
        4 => (0..20u8).prop_map(|frames| Act::Send { frames }),
        4 => Just(Act::Receive),
        1 => Just(Act::Reopen),
    ]
}

/// A link if the table, whatever it says now, allows for one.
fn open(host: &Host) -> Option<Link> {
    let table = host.find().ok()?.ready(&host.memory).ok()??;
    Link::open(&host.memory, &table, 3, 1).ok()
}

/// Does it. A call that fails ends the link, as it does in the modem.
fn perform(host: &Host, link: &mut Option<Link>, posted: &mut u16, act: &Act) {
    let store = |vring: usize, offset: usize, value: u16| {
        let at = u64::from(VRING_DA[vring]) + offset as u64;
        host.memory.store(at, value).unwrap();
    };
    let layout = host.layout(1);
    let mut failed = false;
    match act {
        Act::Write { da, bytes } => host.memory.write(*da, bytes).unwrap(),
        Act::Store {
            vring,
            field,
            value,
        } => store(*vring, field.offset(&host.layout(*vring)), *value),
        Act::Post {
            desc,
            da,
            len,
            flags,
            next,
        } => {
            let at = u64::from(VRING_DA[1]) + layout.desc(*desc) as u64;
            host.memory.store(at, *da).unwrap();
            host.memory.store(at + 8, *len).unwrap();
            host.memory.store(at + 12, *flags).unwrap();
            host.memory.store(at + 14, *next).unwrap();
            store(1, layout.avail_ring(*posted), *desc);
            *posted = posted.wrapping_add(1);
            store(1, layout.avail_idx(), *posted);
        }
        Act::Return { chains } => {
            let layout = host.layout(0);
            let ring = |offset: usize| u64::from(VRING_DA[0]) + offset as u64;
            let used: u16 = host.memory.load(ring(layout.used_idx())).unwrap();
            for index in 0..*chains {
                let index = used.wrapping_add(index);
                let head: u16 = host.memory.load(ring(layout.avail_ring(index))).unwrap();
                let at = ring(layout.used_ring(index));
                host.memory.store(at, u32::from(head)).unwrap();
            }
            store(0, layout.used_idx(), used.wrapping_add(*chains));
        }
        Act::Send { frames } => {
            if let Some(link) = link {
                for number in 0..*frames {
                    link.downlink.queue(frame::make(number.into(), 200));
                }
                failed = link.downlink.flush().is_err();
            }
        }
        Act::Receive => {
            if let Some(link) = link {
                failed = link.uplink.receive(|got| assert!(got.len() >= 2)).is_err()
                    || link.was_reset().is_err();
            }
        }
        Act::Reopen => failed = true,
    }
    if failed {
        *link = open(host);
        // What a driver would find on rings of its own.
        *posted = 0;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(2000)
    })]

    #[test]
    fn no_host_ends_the_modem(event_idx: bool, acts in vec(act(), 1..60)) {
        let host = HOST.with(|host| Host {
            memory: host.memory.clone(),
            table: table(16, 16, 256, event_idx),
        });
        host.clear_start();
        let mut link = open(&host);
        prop_assert!(link.is_some());
        let mut posted = 0;
        for act in &acts {
            perform(&host, &mut link, &mut posted, act);
        }
    }

    #[test]
    fn no_table_ends_the_modem(da in place(), bytes in vec(any::<u8>(), 1..60), len in 0..200u32) {
        let host = HOST.with(|host| Host {
            memory: host.memory.clone(),
            table: table(16, 16, 256, true),
        });
        host.clear_start();
        host.memory.write(da, &bytes).unwrap();
        if let Ok(vdev) = link::table::Vdev::find(&host.memory, TABLE_DA, len)
            && let Ok(Some(table)) = vdev.ready(&host.memory)
            && let Ok(mut link) = Link::open(&host.memory, &table, 3, 1)
        {
            link.downlink.queue(vec![1; 100]);
            let _ = link.downlink.flush();
            let _ = link.uplink.receive(|_| {});
        }
    }
}

thread_local! {
    /// Making memory anew for each case would take most of the time.
    static HOST: Host = Host::load(table(16, 16, 256, true));
}

impl Host {
    /// Brings all back that a case may have written.
    fn clear_start(&self) {
        let fresh = self.table.to_bytes();
        self.memory.write(u64::from(TABLE_DA), &fresh).unwrap();
        self.memory
            .write(TABLE_DA as u64 + fresh.len() as u64, &[0; 200])
            .unwrap();
        self.memory.write(MARK_DA.into(), &firmware::MARK).unwrap();
        for da in VRING_DA {
            self.memory.write(da.into(), &[0; 8192]).unwrap();
        }
        self.memory.write(POOL, &[0; 400]).unwrap();
        self.place_rings();
        self.memory
            .store(VDEV + 12, self.table.features & EVENT_IDX)
            .unwrap();
        self.set_status(common::STATUS_READY);
    }
}
