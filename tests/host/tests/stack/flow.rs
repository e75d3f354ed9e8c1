// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The flow word (`caif/flow.rs`) and the slot of an object (`abstractions/slot.rs`), one step at a
//! time. `tests/loom` tests them with concurrency.

use std::cell::Cell;

use vring_host_tests::caif::flow::{Flow, FlowBits, Side, Stopped, Tell};
use vring_host_tests::slot::{AtomicSlot, Pointer};

#[derive(Default)]
struct Plain {
    value: Cell<u32>,
    /// The number of times that another CPU is first.
    busy: Cell<u32>,
}

impl FlowBits for Plain {
    fn load(&self) -> u32 {
        self.value.get()
    }

    fn replace(&self, old: u32, new: u32) -> bool {
        if let Some(busy) = self.busy.get().checked_sub(1) {
            self.busy.set(busy);
            return false;
        }
        assert_ne!(old, new, "nothing to do");
        self.value.replace(new) == old
    }
}

#[test]
fn the_flow_is_on_while_neither_side_says_no() {
    let flow = Flow::new(Plain::default());
    assert_eq!(flow.check(), Ok(()));
    let steps = [
        (Side::Modem, true, Tell::Nothing),
        (Side::Modem, false, Tell::Off),
        (Side::Modem, false, Tell::Nothing),
        (Side::Link, false, Tell::Nothing),
        (Side::Modem, true, Tell::Nothing),
        (Side::Modem, true, Tell::Nothing),
        (Side::Link, true, Tell::On),
        (Side::Link, true, Tell::Nothing),
        (Side::Link, false, Tell::Off),
        (Side::Modem, false, Tell::Nothing),
        (Side::Link, true, Tell::Nothing),
        (Side::Modem, true, Tell::On),
    ];
    let mut off = [false; 2];
    for (side, on, tell) in steps {
        assert_eq!(flow.set(side, on), tell, "{side:?} {on}");
        off[usize::from(side == Side::Link)] = !on;
        let stopped = off[0] || off[1];
        assert_eq!(flow.check().err(), stopped.then_some(Stopped::Off));
        assert_eq!(
            flow.check_late().err(),
            off[0].then_some(Stopped::Off),
            "a payload on its way"
        );
        assert_eq!([Side::Modem, Side::Link].map(|side| flow.is_off(side)), off);
    }
    assert!(flow.close());
    assert_eq!([Side::Modem, Side::Link].map(|side| flow.is_off(side)), off);
}

#[test]
fn a_channel_is_closed_once_and_nobody_is_told_after_that() {
    let flow = Flow::new(Plain::default());
    assert_eq!(flow.set(Side::Modem, false), Tell::Off);
    assert!(flow.close());
    assert!(!flow.close());
    assert_eq!(flow.check(), Err(Stopped::Closed));
    assert_eq!(flow.set(Side::Modem, true), Tell::Nothing);
    assert_eq!(flow.set(Side::Link, false), Tell::Nothing);
    assert_eq!(flow.check(), Err(Stopped::Closed));
    assert_eq!(flow.check_late(), Err(Stopped::Closed));
}

#[test]
fn what_another_cpu_changed_first_is_tried_again() {
    let word = Plain::default();
    word.busy.set(3);
    let flow = Flow::new(word);
    assert_eq!(flow.set(Side::Modem, false), Tell::Off);
    assert_eq!(flow.check(), Err(Stopped::Off));
}

struct Address(Cell<u64>);

impl Pointer for Address {
    type Address = u64;
    const NONE: u64 = 0;

    fn load(&self) -> u64 {
        self.0.get()
    }

    fn replace(&self, old: u64, new: u64) -> bool {
        let is_old = self.0.get() == old;
        if is_old {
            self.0.set(new);
        }
        is_old
    }

    fn swap(&self, new: u64) -> u64 {
        self.0.replace(new)
    }
}

#[test]
fn a_slot_has_one_object_and_gives_it_to_who_names_it() {
    let slot = AtomicSlot::new(Address(Cell::new(0)));
    assert_eq!(slot.look_up(), None);
    assert!(!slot.take_back(0));
    assert!(!slot.take_back(5));
    assert!(slot.publish(5));
    assert!(!slot.publish(6));
    assert_eq!(slot.look_up(), Some(5));
    assert!(!slot.take_back(6));
    assert!(slot.take_back(5));
    assert!(!slot.take_back(5));
    assert!(slot.publish(6));
    assert_eq!(slot.take(), Some(6));
    assert_eq!(slot.take(), None);
}
