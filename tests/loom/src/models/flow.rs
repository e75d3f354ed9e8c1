// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `caif/flow.rs`: senders that wait for the flow, and both sides that switch it.

use loom::sync::atomic::{fence, AtomicBool, AtomicU32, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::Lacks;
use crate::caif::flow::{Flow, FlowBits, Side, Tell};

/// A word of loom's atomics.
struct LoomWord {
    value: AtomicU32,
    lacks: Lacks,
}

impl FlowBits for LoomWord {
    fn load(&self) -> u32 {
        self.value.load(Ordering::Relaxed)
    }

    fn replace(&self, old: u32, new: u32) -> bool {
        match self.lacks {
            Lacks::Order => self
                .value
                .compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok(),
            Lacks::Atomicity => {
                let is_old = self.value.load(Ordering::SeqCst) == old;
                if is_old {
                    self.value.store(new, Ordering::SeqCst);
                }
                is_old
            }
            _ => {
                fence(Ordering::SeqCst);
                let result =
                    self.value
                        .compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst);
                fence(Ordering::SeqCst);
                result.is_ok()
            }
        }
    }
}

/// A channel, and its client.
struct Channel {
    flow: Flow<LoomWord>,
    /// The flow lock.
    lock: Mutex<()>,
    /// The last state that the client was told.
    told_on: AtomicBool,
    /// A sender waits.
    waits: AtomicBool,
    /// The number of its wake-ups.
    woken: AtomicU32,
    lacks: Lacks,
}

impl Channel {
    fn new(lacks: Lacks) -> Arc<Self> {
        Arc::new(Self {
            flow: Flow::new(LoomWord {
                value: AtomicU32::new(0),
                lacks,
            }),
            lock: Mutex::new(()),
            told_on: AtomicBool::new(true),
            waits: AtomicBool::new(false),
            woken: AtomicU32::new(0),
            lacks,
        })
    }

    fn set(&self, side: Side, on: bool) {
        let guard = (self.lacks != Lacks::Lock).then(|| self.lock.lock());
        let tell = self.flow.set(side, on);
        if tell != Tell::Nothing {
            self.told_on.store(tell == Tell::On, Ordering::Relaxed);
        }
        if tell == Tell::On && self.waits.load(Ordering::Relaxed) {
            self.woken.fetch_add(1, Ordering::Relaxed);
        }
        drop(guard);
    }
}

/// A sender goes to sleep while the modem switches the flow on.
pub fn wait(lacks: Lacks) {
    let channel = Channel::new(lacks);
    channel.set(Side::Modem, false);
    let modem = {
        let channel = channel.clone();
        thread::spawn(move || channel.set(Side::Modem, true))
    };
    channel.waits.store(true, Ordering::Relaxed);
    // That of set_current_state().
    fence(Ordering::SeqCst);
    let sleeps = channel.flow.check().is_err();
    modem.join().expect("the modem does not panic");
    let woken = channel.woken.load(Ordering::Relaxed);
    assert!(!sleeps || woken == 1, "asleep with the flow on");
}

/// Both sides switch the flow on at the same time.
pub fn both(lacks: Lacks) {
    let channel = Channel::new(lacks);
    channel.set(Side::Modem, false);
    channel.set(Side::Link, false);
    channel.waits.store(true, Ordering::Relaxed);
    let modem = {
        let channel = channel.clone();
        // Without the lock: the word alone keeps both sides' states.
        thread::spawn(move || u32::from(channel.flow.set(Side::Modem, true) == Tell::On))
    };
    let mine = u32::from(channel.flow.set(Side::Link, true) == Tell::On);
    let wakes = mine + modem.join().expect("the modem does not panic");
    assert_eq!(channel.flow.check(), Ok(()), "off for ever");
    assert_eq!(wakes, 1, "told {wakes} times");
}

/// The modem switches the flow off while the link switches it off and on.
pub fn order(lacks: Lacks) {
    let channel = Channel::new(lacks);
    let modem = {
        let channel = channel.clone();
        thread::spawn(move || channel.set(Side::Modem, false))
    };
    channel.set(Side::Link, false);
    channel.set(Side::Link, true);
    modem.join().expect("the modem does not panic");
    let told_on = channel.told_on.load(Ordering::Relaxed);
    assert_eq!(channel.flow.check().is_ok(), told_on, "told the wrong flow");
}

/// The channel is closed from two sides, and the flow switched meanwhile.
pub fn close(lacks: Lacks) {
    let channel = Channel::new(lacks);
    let modem = {
        let channel = channel.clone();
        thread::spawn(move || {
            channel.set(Side::Modem, false);
            u32::from(channel.flow.close())
        })
    };
    let mine = u32::from(channel.flow.close());
    let closed = mine + modem.join().expect("the modem does not panic");
    assert_eq!(closed, 1, "closed {closed} times");
}
