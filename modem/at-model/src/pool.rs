// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The pool of addresses that contexts get.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::contexts::{Ipv4Link, Ipv6Link};

/// Addresses of a block: a /28, as hosts take it that are told no length of a prefix.
const BLOCK: u32 = 16;
const BLOCK_PREFIX: u8 = 28;
/// The position of the modem's and the host's address in a block, in both families.
const MODEM: u8 = 1;
const HOST: u8 = 2;

/// Blocks of addresses, each for one active context.
#[derive(Debug, Clone)]
pub struct Pool {
    pub(crate) base: Ipv4Addr,
    pub(crate) base6: Ipv6Addr,
    size: u16,
    used: BTreeSet<u16>,
    last: Option<u16>,
}

impl Pool {
    /// Creates a pool of `size` blocks: of 16 IPv4 addresses each from `base` on, and a /64 each
    /// from `base6` on.
    pub fn new(base: Ipv4Addr, base6: Ipv6Addr, size: u16) -> Self {
        Self {
            base,
            base6,
            size,
            used: BTreeSet::new(),
            last: None,
        }
    }

    /// Allocates a block; `None` if all are in use. Blocks are used in turn, so that a freed one is
    /// used again as late as possible.
    pub(crate) fn allocate(&mut self) -> Option<u16> {
        let free = |block: &u16| !self.used.contains(block);
        let next = self.last.map_or(0, |last| last.saturating_add(1));
        let block = (next..self.size).chain(0..next.min(self.size)).find(free)?;
        self.used.insert(block);
        self.last = Some(block);
        Some(block)
    }

    /// Gives a block back.
    pub(crate) fn release(&mut self, block: u16) {
        self.used.remove(&block);
    }

    /// Returns how many blocks there are, and how many of them are taken.
    pub fn usage(&self) -> (usize, usize) {
        (self.size.into(), self.used.len())
    }

    /// Returns the IPv4 addresses of a block.
    pub(crate) fn ipv4(&self, block: u16) -> Ipv4Link {
        let at = |position: u8| {
            let offset = u32::from(block)
                .wrapping_mul(BLOCK)
                .wrapping_add(position.into());
            Ipv4Addr::from_bits(self.base.to_bits().wrapping_add(offset))
        };
        Ipv4Link {
            modem: at(MODEM),
            host: at(HOST),
            prefix: BLOCK_PREFIX,
        }
    }

    /// Returns the IPv6 addresses of a block.
    pub(crate) fn ipv6(&self, block: u16) -> Ipv6Link {
        let net = u128::from(block).wrapping_shl(64);
        let at = |position: u8| {
            let offset = net.wrapping_add(position.into());
            Ipv6Addr::from_bits(self.base6.to_bits().wrapping_add(offset))
        };
        Ipv6Link {
            modem: at(MODEM),
            host: at(HOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(size: u16) -> Pool {
        Pool::new([10, 64, 0, 0].into(), "fd00:64::".parse().unwrap(), size)
    }

    #[test]
    fn in_turn_and_only_free_ones() {
        let mut pool = pool(3);
        let mut take = |freed: Option<u16>| {
            freed.into_iter().for_each(|block| pool.release(block));
            pool.allocate()
        };
        assert_eq!(take(None), Some(0));
        assert_eq!(take(Some(0)), Some(1));
        assert_eq!(take(None), Some(2));
        assert_eq!(take(None), Some(0));
        assert_eq!(take(None), None);
        assert_eq!(take(Some(1)), Some(1));
        assert_eq!(pool.usage(), (3, 3));
    }

    #[test]
    fn blocks_do_not_overlap() {
        let pool = pool(300);
        assert_eq!(pool.ipv4(0).host, Ipv4Addr::new(10, 64, 0, 2));
        assert_eq!(pool.ipv4(17).modem, Ipv4Addr::new(10, 64, 1, 17));
        assert_eq!(pool.ipv6(299).host.to_string(), "fd00:64:0:12b::2");
    }
}
