// SPDX-License-Identifier: GPL-2.0

//! `virtio_ring.c` as the driver of `vring_reversed.rs`.

use std::thread;

use fastrand::Rng;
use vring_host_tests::memory::View;
use vring_host_tests::vring_chain::Segment;
use vring_host_tests::vring_mem::Features;
use vring_host_tests::vring_reversed::{Chain, DeviceRing};
use vring_interop::arena::{Arena, BUFFER};
use vring_interop::bell::{bell, Bell, Sleeper};
use vring_interop::kernel::{Buffer, Driver};

/// Least number of buffers that are posted in each run.
const BUFFERS: u64 = 1_000_000;

/// Returns the content of buffer `place` of a chain.
fn mark(token: usize, place: usize) -> u64 {
    (token as u64) << 16 | place as u64
}

/// The kernel, and what it has posted.
struct Kernel<'a> {
    arena: &'a Arena,
    driver: Driver<'a>,
    free: Vec<u16>,
    /// The buffers of each chain that is out, by token.
    out: Vec<Vec<u16>>,
    rng: Rng,
    posted: usize,
    returned: u64,
    buffers: u64,
}

impl<'a> Kernel<'a> {
    fn new(arena: &'a Arena, event_idx: bool) -> Self {
        Self {
            arena,
            driver: Driver::new(arena, event_idx),
            free: (0..arena.num()).collect(),
            out: vec![Vec::new(); arena.num().into()],
            rng: Rng::with_seed(7),
            posted: 0,
            returned: 0,
            buffers: 0,
        }
    }

    /// Posts a chain of `len` buffers, if there are as many.
    fn post(&mut self, len: usize) -> bool {
        if len > self.free.len() {
            return false;
        }
        let Some(token) = self.out.iter().position(Vec::is_empty) else {
            return false;
        };
        let indices = self.free.split_off(self.free.len() - len);
        let mut chain = Vec::new();
        for (place, &index) in indices.iter().enumerate() {
            self.arena.write(index, mark(self.posted, place));
            chain.push(Buffer::new(
                self.arena.address(index),
                self.rng.u32(8..=BUFFER),
            ));
        }
        assert!(self.driver.add(&chain, token), "descriptors must be free");
        self.out[token] = indices;
        self.posted += 1;
        self.buffers += len as u64;
        true
    }

    /// Takes back the next chain. The other side reports its number of buffers.
    fn reclaim(&mut self) -> bool {
        let Some((token, written)) = self.driver.get() else {
            assert!(!self.driver.is_broken(), "the kernel gave the ring up");
            return false;
        };
        let mut indices = std::mem::take(&mut self.out[token]);
        assert!(!indices.is_empty(), "chain {token} was not out");
        assert_eq!(written as usize, indices.len());
        // The next content of the buffers is written at once.
        for index in &indices {
            self.arena.write(*index, u64::MAX);
        }
        self.free.append(&mut indices);
        self.rng.shuffle(&mut self.free);
        self.returned += 1;
        true
    }
}

/// Our side.
struct Ours<'a> {
    arena: &'a Arena,
    ring: DeviceRing<View<'a>, Vec<bool>>,
    segments: Vec<Segment>,
    served: usize,
}

impl<'a> Ours<'a> {
    fn new(arena: &'a Arena, event_idx: bool) -> Self {
        let num = usize::from(arena.num());
        let features = Features { event_idx };
        let storage = vec![false; num];
        Self {
            arena,
            ring: DeviceRing::new(arena.view(), arena.layout(), features, storage)
                .expect("the storage is large enough"),
            segments: vec![Segment::default(); num],
            served: 0,
        }
    }

    /// Takes the next chain, which must be as the kernel posted it.
    fn fetch(&mut self) -> Option<Chain> {
        let chain = self.ring.fetch(&mut self.segments);
        let chain = chain.unwrap_or_else(|error| panic!("{error}"))?;
        for (place, segment) in self.segments[..chain.len()].iter().enumerate() {
            let index = self.arena.index(segment.addr());
            assert_eq!(self.arena.read(index), mark(self.served, place));
            assert!((8..=BUFFER).contains(&segment.len()));
            assert!(!segment.is_write());
        }
        self.served += 1;
        Some(chain)
    }

    fn give_back(&mut self, chain: Chain) {
        let len = chain.len() as u32;
        let given = self.ring.give_back(chain, len);
        given.unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Runs both sides by turns. Each decision to notify is checked.
fn by_turns(num: u16, event_idx: bool) {
    let arena = Arena::new(num);
    let mut kernel = Kernel::new(&arena, event_idx);
    let mut ours = Ours::new(&arena, event_idx);
    let mut rng = Rng::with_seed(num.into());
    let mut held = Vec::new();
    let mut longest = 0;
    while kernel.buffers < BUFFERS {
        // Whether each side sleeps until it is notified.
        let we_sleep = rng.bool() && !ours.ring.enable_notify();
        if !we_sleep {
            ours.ring.disable_notify();
        }
        let before = kernel.posted;
        for _ in 0..rng.u16(0..=num) {
            let len = match rng.u8(..8) {
                0 => usize::from(num),
                _ => rng.usize(1..=usize::from(num).min(8)),
            };
            longest = longest.max(if kernel.post(len) { len } else { 0 });
        }
        let notify = kernel.driver.publish();
        if kernel.posted != before && we_sleep {
            assert!(notify, "we sleep and are not notified");
        }
        assert!(event_idx || we_sleep || !notify, "we asked for silence");

        let most = rng.usize(0..=usize::from(num));
        held.extend((0..most).map_while(|_| ours.fetch()));
        let it_sleeps = rng.bool() && kernel.driver.enable();
        if !it_sleeps {
            kernel.driver.disable();
        }
        rng.shuffle(&mut held);
        let keep = rng.usize(0..=held.len());
        let given = held.split_off(keep);
        let any = !given.is_empty();
        given.into_iter().for_each(|chain| ours.give_back(chain));
        let notify = ours.ring.publish();
        if any && it_sleeps {
            assert!(notify, "the kernel sleeps and is not notified");
        }
        assert!(event_idx || it_sleeps || !notify, "it asked for silence");
        while kernel.reclaim() {}
    }
    // Nothing was lost on the way.
    held.extend(std::iter::from_fn(|| ours.fetch()));
    held.into_iter().for_each(|chain| ours.give_back(chain));
    ours.ring.publish();
    while kernel.reclaim() {}
    assert_eq!(kernel.returned, kernel.posted as u64);
    assert_eq!(kernel.free.len(), usize::from(num));
    assert_eq!(longest, usize::from(num), "a chain of the whole ring");
    assert_eq!(ours.ring.in_flight(), 0);
}

/// Runs the kernel's side: posts chains while there is room, otherwise sleeps.
fn kernel_thread(arena: &Arena, event_idx: bool, kick: &Bell, sleeper: &Sleeper) {
    let mut kernel = Kernel::new(arena, event_idx);
    let num = usize::from(arena.num());
    let mut posted_all = false;
    loop {
        kernel.driver.disable();
        while !posted_all {
            let len = 1 + kernel.posted % num;
            if !kernel.post(len) {
                break;
            }
            posted_all = kernel.buffers >= BUFFERS;
            // One by one, so that the other side has often just gone to sleep.
            if kernel.driver.publish() {
                kick.ring();
            }
        }
        while kernel.reclaim() {}
        let room = kernel.free.len() > kernel.posted % num;
        if posted_all && kernel.returned == kernel.posted as u64 {
            break;
        }
        if (posted_all || !room) && kernel.driver.enable() {
            sleeper.sleep("the kernel", kernel.returned);
        }
    }
}

/// Returns the number of chains of 1, 2, ... `num`, 1, 2, ... buffers that have at least
/// [`BUFFERS`].
fn chains(num: u16) -> usize {
    let lens = (1..=u64::from(num)).cycle();
    let sums = lens.scan(0, |sum, len| {
        *sum += len;
        Some(*sum)
    });
    1 + sums.take_while(|sum| *sum < BUFFERS).count()
}

/// Runs both sides at once.
fn at_once(num: u16, event_idx: bool) {
    let arena = Arena::new(num);
    let (interrupt, interrupted) = bell();
    let (kick, kicked) = bell();
    thread::scope(|scope| {
        let there = &arena;
        let kernel = scope.spawn(move || kernel_thread(there, event_idx, &interrupt, &kicked));
        let mut ours = Ours::new(&arena, event_idx);
        let all = chains(num);
        while ours.served < all {
            ours.ring.disable_notify();
            while let Some(chain) = ours.fetch() {
                ours.give_back(chain);
            }
            if ours.ring.publish() {
                kick.ring();
            }
            if ours.served < all && !ours.ring.enable_notify() {
                interrupted.sleep("vring_reversed", ours.served as u64);
            }
        }
        assert!(kernel.join().is_ok(), "the kernel's side failed");
        assert_eq!(ours.served, all);
    });
}

#[test]
fn by_turns_with_flags() {
    for num in [1, 2, 8, 256] {
        by_turns(num, false);
    }
}

#[test]
fn by_turns_with_event_idx() {
    for num in [1, 2, 8, 256] {
        by_turns(num, true);
    }
}

#[test]
fn at_once_with_flags() {
    for num in [8, 64] {
        at_once(num, false);
    }
}

#[test]
fn at_once_with_event_idx() {
    for num in [8, 64] {
        at_once(num, true);
    }
}
