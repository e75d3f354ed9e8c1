// SPDX-License-Identifier: GPL-2.0

//! A vring as a modem sees it that keeps to no rules: loads and stores at offsets of its layout.

use crate::{
    fake::Fake,
    trap::Place,
    vring_layout::Layout, //
};
use kernel::prelude::*;

/// A vring, as the modem sees it.
pub struct Vring<'a> {
    fake: &'a Fake,
    base: usize,
    /// Where its parts are.
    pub layout: Layout,
}

// By the layout, all accesses are inside of the memory.
impl<'a> Vring<'a> {
    /// Vring 0 or 1 of a modem.
    pub fn new(fake: &'a Fake, vring: usize) -> Result<Self> {
        Ok(Self {
            fake,
            base: fake.vring(vring)?,
            layout: fake.layout(vring)?,
        })
    }

    /// The place of `len` bytes at an offset of the layout.
    pub fn place(&self, offset: usize, len: u32) -> Place {
        Place {
            at: self.base + offset,
            len,
        }
    }

    /// Loads 16 bits.
    pub fn load16(&self, offset: usize) -> Result<u16> {
        self.fake.memory().read(self.base + offset)
    }

    /// Loads 32 bits.
    pub fn load32(&self, offset: usize) -> Result<u32> {
        self.fake.memory().read(self.base + offset)
    }

    /// Stores 16 bits.
    pub fn store16(&self, offset: usize, value: u16) {
        let _ = self.fake.memory().write(self.base + offset, value);
    }

    /// Stores 32 bits.
    pub fn store32(&self, offset: usize, value: u32) {
        let _ = self.fake.memory().write(self.base + offset, value);
    }

    /// Stores 64 bits.
    pub fn store64(&self, offset: usize, value: u64) {
        let _ = self.fake.memory().write(self.base + offset, value);
    }
}
