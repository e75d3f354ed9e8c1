// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `abstractions/slot.rs`: channels that are published, found, and taken back.

use loom::sync::atomic::{fence, AtomicUsize, Ordering};
use loom::sync::Arc;
use loom::thread;

use super::Lacks;
use crate::memory::Buffer;
use crate::slot::{AtomicSlot, Pointer};

/// An address of loom's atomics.
struct LoomPointer {
    value: AtomicUsize,
    lacks: Lacks,
}

impl Pointer for LoomPointer {
    type Address = usize;
    const NONE: usize = 0;

    fn load(&self) -> usize {
        match self.lacks {
            Lacks::Acquire => self.value.load(Ordering::Relaxed),
            _ => self.value.load(Ordering::Acquire),
        }
    }

    fn replace(&self, old: usize, new: usize) -> bool {
        let (success, failure) = match self.lacks {
            Lacks::Order => (Ordering::Relaxed, Ordering::Relaxed),
            Lacks::Identity => {
                self.value.store(new, Ordering::SeqCst);
                return true;
            }
            Lacks::Atomicity => {
                let is_old = self.value.load(Ordering::SeqCst) == old;
                if is_old {
                    self.value.store(new, Ordering::SeqCst);
                }
                return is_old;
            }
            _ => (Ordering::AcqRel, Ordering::Acquire),
        };
        self.value
            .compare_exchange(old, new, success, failure)
            .is_ok()
    }

    fn swap(&self, new: usize) -> usize {
        match self.lacks {
            Lacks::Order => self.value.swap(new, Ordering::Relaxed),
            _ => self.value.swap(new, Ordering::AcqRel),
        }
    }
}

/// A link id, and two channels that have it one after the other.
struct Link {
    slot: AtomicSlot<LoomPointer>,
    channels: [Buffer; 2],
}

impl Link {
    fn new(lacks: Lacks) -> Arc<Self> {
        Arc::new(Self {
            slot: AtomicSlot::new(LoomPointer {
                value: AtomicUsize::new(0),
                lacks,
            }),
            channels: [Buffer::default(), Buffer::default()],
        })
    }

    /// Returns the channel with this number, from 1.
    fn channel(&self, number: usize) -> &Buffer {
        &self.channels[number - 1]
    }

    /// Writes all fields of a channel and publishes it.
    fn publish(&self, number: usize) -> bool {
        self.channel(number).write();
        self.slot.publish(number)
    }
}

/// A frame comes for a channel that is just published.
pub fn find(lacks: Lacks) {
    let link = Link::new(lacks);
    let setup = {
        let link = link.clone();
        thread::spawn(move || assert!(link.publish(1), "the id is in use"))
    };
    if let Some(number) = link.slot.look_up() {
        link.channel(number).read();
    }
    setup.join().expect("the set-up does not panic");
    assert_eq!(link.slot.look_up(), Some(1));
}

/// The link goes down while a channel is published: the side that takes it out ends it.
pub fn take(lacks: Lacks) {
    let link = Link::new(lacks);
    let setup = {
        let link = link.clone();
        thread::spawn(move || assert!(link.publish(1), "the id is in use"))
    };
    if let Some(number) = link.slot.take() {
        link.channel(number).write();
    }
    setup.join().expect("the set-up does not panic");
}

/// A channel is closed by its user and by the modem, and the modem assigns its id again at once:
/// one of them ends the channel, and neither affects the next one.
pub fn close(lacks: Lacks) {
    let link = Link::new(lacks);
    assert!(link.publish(1), "the id is in use");
    let user = {
        let link = link.clone();
        thread::spawn(move || usize::from(link.slot.take_back(1)))
    };
    let mine = link.slot.take_back(1);
    let next = mine && link.publish(2);
    let taken = usize::from(mine) + user.join().expect("the user does not panic");
    assert_eq!(taken, 1, "ended {taken} times");
    // The end of the threads orders the publishing before this.
    fence(Ordering::SeqCst);
    let wanted = next.then_some(2);
    assert_eq!(link.slot.look_up(), wanted, "the next one was ended");
    assert_eq!(mine, next, "the id is in use");
}

/// Two channels are published in one place.
pub fn twice(lacks: Lacks) {
    let link = Link::new(lacks);
    let setup = {
        let link = link.clone();
        thread::spawn(move || usize::from(link.publish(1)))
    };
    let mine = link.publish(2);
    let published = usize::from(mine) + setup.join().expect("the set-up does not panic");
    assert_eq!(published, 1, "{published} channels have the id");
    let owner = if mine { 2 } else { 1 };
    assert_eq!(link.slot.look_up(), Some(owner), "found for another one");
}
