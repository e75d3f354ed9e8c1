// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The network device of an IP stack: two queues of packets.

use std::collections::VecDeque;

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Packets between a channel and its IP stack. While `tx` is full the stack gets no transmit
/// token, so TCP stalls and nothing is lost.
pub(crate) struct PacketQueues {
    rx: VecDeque<Vec<u8>>,
    tx: VecDeque<Vec<u8>>,
    limit: usize,
    mtu: usize,
    sent: u64,
}

impl PacketQueues {
    pub(crate) fn new(limit: usize, mtu: usize) -> Self {
        Self {
            rx: VecDeque::new(),
            tx: VecDeque::new(),
            limit: limit.max(1),
            mtu,
            sent: 0,
        }
    }

    /// Queues a packet from the host. Returns false if there is no room for it.
    pub(crate) fn receive(&mut self, packet: &[u8]) -> bool {
        let room = self.rx.len() < self.limit;
        if room {
            self.rx.push_back(packet.to_vec());
        }
        room
    }

    /// Queues a packet for the host that does not come from the stack. It is lost if there is no
    /// room.
    pub(crate) fn transmit(&mut self, packet: Vec<u8>) {
        if !self.is_full() {
            self.tx.push_back(packet);
        }
    }

    /// Returns the next packet for the host.
    pub(crate) fn send(&mut self) -> Option<Vec<u8>> {
        self.tx.pop_front()
    }

    pub(crate) fn has_received(&self) -> bool {
        !self.rx.is_empty()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.tx.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting() >= self.limit
    }

    /// Returns the number of packets that the stack has sent, which shows whether it makes
    /// progress.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }
}

impl phy::Device for PacketQueues {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken, TxToken<'_>)> {
        let packet = self.rx.pop_front()?;
        Some((RxToken(packet), TxToken(self)))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        (!self.is_full()).then_some(TxToken(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

pub(crate) struct RxToken(Vec<u8>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub(crate) struct TxToken<'a>(&'a mut PacketQueues);

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.tx.push_back(packet);
        self.0.sent = self.0.sent.wrapping_add(1);
        result
    }
}
