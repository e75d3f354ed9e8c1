// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Common parts of the tests of a ring.
#![allow(dead_code, reason = "no test needs all of it")]

use modem_ring::{Desc, Device, Driver, Fields, Place};
use vring_host_tests::memory::{Memory, View};
use vring_host_tests::vring_driver::{DriverRing, SlotState};
use vring_host_tests::vring_layout::Layout;
use vring_host_tests::vring_mem::Features;
use vring_host_tests::vring_reversed::DeviceRing;

/// Both kinds of notification, for tests of each.
pub const BOTH: [Features; 2] = [Features { event_idx: false }, Features { event_idx: true }];

/// Memory with one ring in it.
pub struct Bench {
    pub memory: Memory,
    pub layout: Layout,
    pub features: Features,
}

impl Bench {
    pub fn new(num: u16, features: Features) -> Self {
        let layout = Layout::new(num.into(), 64).expect("num is a power of two");
        let memory = Memory::new(layout.size());
        Self {
            memory,
            layout,
            features,
        }
    }

    pub fn view(&self) -> View<'_> {
        self.memory.view(self.layout.size())
    }

    /// Returns the fields of the ring, for accesses without rules.
    pub fn fields(&self) -> Fields<View<'_>> {
        Fields::new(self.view(), self.layout)
    }

    /// Returns the modem as the driver of the ring.
    pub fn modem_driver(&self) -> Driver<View<'_>, Vec<Place>> {
        let places = vec![Place::default(); self.layout.num().into()];
        Driver::new(self.view(), self.layout, self.features, places).expect("enough places")
    }

    /// Returns the modem as the device of the ring.
    pub fn modem_device(&self) -> Device<View<'_>> {
        Device::new(self.view(), self.layout, self.features)
    }

    /// Returns the reversed ring under test.
    pub fn reversed(&self) -> DeviceRing<View<'_>, Vec<bool>> {
        let places = vec![true; self.layout.num().into()];
        DeviceRing::new(self.view(), self.layout, self.features, places).expect("enough places")
    }

    /// Returns the TX ring under test, with a number of slots.
    pub fn driver(&self, slots: u16) -> DriverRing<View<'_>, Vec<SlotState>> {
        let slots = vec![SlotState::Taken; slots.into()];
        DriverRing::new(self.view(), self.layout, self.features, slots)
            .expect("as many slots are possible")
    }
}

/// Returns a buffer that differs from others.
pub fn buffer(number: u32) -> Desc {
    Desc {
        addr: u64::from(number) << 32,
        len: 40 + number,
        flags: 0,
        next: u16::MAX,
    }
}
