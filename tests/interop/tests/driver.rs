// SPDX-License-Identifier: GPL-2.0

//! `vring_driver.rs` as the driver of `vringh.c`.

use std::collections::VecDeque;
use std::thread;

use fastrand::Rng;
use vring_host_tests::memory::View;
use vring_host_tests::vring_driver::{DriverRing, SlotState};
use vring_host_tests::vring_mem::Features;
use vring_interop::arena::{Arena, BUFFER};
use vring_interop::bell::{bell, Bell, Sleeper};
use vring_interop::kernel::Device;

/// Buffers that are sent in each run.
const BUFFERS: u64 = 1_000_000;

/// Our side.
struct Ours<'a> {
    arena: &'a Arena,
    ring: DriverRing<View<'a>, Vec<SlotState>>,
    sent: u64,
    reclaimed: u64,
}

/// Returns the length of the frame that is sent as the `count`-th.
fn length(count: u64) -> u32 {
    8 + (count % u64::from(BUFFER - 7)) as u32
}

impl<'a> Ours<'a> {
    fn new(arena: &'a Arena, event_idx: bool) -> Self {
        let features = Features { event_idx };
        let slots = vec![SlotState::Taken; arena.num().into()];
        Self {
            arena,
            ring: DriverRing::new(arena.view(), arena.layout(), features, slots)
                .expect("a slot for each descriptor"),
            sent: 0,
            reclaimed: 0,
        }
    }

    /// Sends the next frame, if there is a slot.
    fn send(&mut self) -> bool {
        let Some(slot) = self.ring.take() else {
            return false;
        };
        let index = slot.index();
        self.arena.write(index, self.sent);
        let added = self
            .ring
            .add(slot, self.arena.address(index), length(self.sent));
        added.unwrap_or_else(|error| panic!("{error}"));
        self.sent += 1;
        true
    }

    /// Takes back the next slot, and writes to it at once.
    fn reclaim(&mut self) -> Option<u16> {
        let slot = self.ring.reclaim();
        let slot = slot.unwrap_or_else(|error| panic!("{error}"))?;
        self.arena.write(slot, u64::MAX);
        self.reclaimed += 1;
        Some(slot)
    }
}

/// The kernel.
struct Kernel<'a> {
    arena: &'a Arena,
    device: Device<'a>,
    served: u64,
}

impl<'a> Kernel<'a> {
    fn new(arena: &'a Arena, event_idx: bool) -> Self {
        Self {
            arena,
            device: Device::new(arena, event_idx),
            served: 0,
        }
    }

    /// Takes the next frame, which must be unchanged.
    fn get(&mut self) -> Option<u16> {
        let (head, buf) = self.device.get()?;
        assert_eq!(self.arena.index(buf.addr()), head);
        assert_eq!(buf.len(), length(self.served));
        assert_eq!(self.arena.read(head), self.served);
        self.served += 1;
        Some(head)
    }
}

/// Runs both sides by turns. Each decision to notify is checked.
fn by_turns(num: u16, event_idx: bool) {
    let arena = Arena::new(num);
    let mut kernel = Kernel::new(&arena, event_idx);
    let mut ours = Ours::new(&arena, event_idx);
    let mut rng = Rng::with_seed(num.into());
    let mut held = Vec::new();
    let mut back = VecDeque::new();
    while ours.reclaimed < BUFFERS {
        let it_sleeps = rng.bool() && kernel.device.enable();
        if !it_sleeps {
            kernel.device.disable();
        }
        let before = ours.sent;
        for _ in 0..rng.u16(0..=num) {
            ours.send();
        }
        let notify = ours.ring.publish();
        if ours.sent != before && it_sleeps {
            assert!(notify, "the kernel sleeps and is not notified");
        }
        assert!(event_idx || it_sleeps || !notify, "it asked for silence");

        let most = rng.usize(0..=usize::from(num));
        held.extend((0..most).map_while(|_| kernel.get()));
        let we_sleep = rng.bool() && !ours.ring.enable_notify();
        if !we_sleep {
            ours.ring.disable_notify();
        }
        // In any order.
        rng.shuffle(&mut held);
        let keep = rng.usize(0..=held.len());
        let given = held.split_off(keep);
        let any = !given.is_empty();
        for head in given {
            kernel.device.complete(head);
            back.push_back(head);
        }
        let notify = kernel.device.need_notify();
        if any && we_sleep {
            assert!(notify, "we sleep and are not notified");
        }
        assert!(event_idx || we_sleep || !notify, "we asked for silence");
        while let Some(slot) = ours.reclaim() {
            assert_eq!(Some(slot), back.pop_front());
        }
        assert!(back.is_empty(), "not all came back");
        assert_eq!(
            usize::from(num - ours.ring.free()),
            (ours.sent - ours.reclaimed) as usize
        );
    }
}

/// Runs the kernel's side: serves buffers while there are any, otherwise sleeps.
fn kernel_thread(arena: &Arena, event_idx: bool, interrupt: &Bell, sleeper: &Sleeper) {
    let mut kernel = Kernel::new(arena, event_idx);
    while kernel.served < BUFFERS {
        kernel.device.disable();
        while let Some(head) = kernel.get() {
            kernel.device.complete(head);
            // One by one, so that the other side has often just gone to sleep.
            if kernel.device.need_notify() {
                interrupt.ring();
            }
        }
        if kernel.served < BUFFERS && kernel.device.enable() {
            sleeper.sleep("the kernel", kernel.served);
        }
    }
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
        while ours.reclaimed < BUFFERS {
            ours.ring.disable_notify();
            while ours.sent < BUFFERS && ours.send() {
                if ours.ring.publish() {
                    kick.ring();
                }
            }
            while ours.reclaim().is_some() {}
            let wait = ours.ring.free() == 0 || ours.sent == BUFFERS;
            if wait && ours.reclaimed < BUFFERS && !ours.ring.enable_notify() {
                interrupted.sleep("vring_driver", ours.reclaimed);
            }
        }
        assert!(kernel.join().is_ok(), "the kernel's side failed");
        assert_eq!(ours.ring.free(), num);
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
