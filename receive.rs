// SPDX-License-Identifier: GPL-2.0

//! Reception: frames out of the modem's buffers on the reversed vring.

use crate::{
    abstractions::net::napi,
    counters::{
        Counter,
        Counters, //
    },
    link_config::{
        Direction,
        Fit, //
    },
    remoteproc_glue::{
        frames,
        trace,
        LastSeen,
        Queues,
        Vring,
        VringMem,
        Windows, //
    },
    vring_chain::{
        DeviceRingError,
        Segment, //
    },
    vring_layout::Layout,
    vring_mem::Features,
    vring_reversed::{
        Chain,
        DeviceRing, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// State of reception.
pub(crate) struct Rx<'bound> {
    ring: DeviceRing<VringMem<'bound>, KVec<bool>>,
    /// The segments of the chain that was fetched last.
    segments: KVec<Segment>,
    /// A chain of which only some segments fitted into the budget, and the next one of them.
    current: Option<(Chain, usize)>,
    frames: Frames<'bound>,
    last_seen: Arc<LastSeen>,
}

/// Where frames are in the modem's buffers.
struct Frames<'bound> {
    windows: Windows<'bound>,
    fit: Fit,
}

/// What a run of [`Rx::poll`] came to.
pub(crate) struct Received {
    /// Buffers that were looked at, good or bad, at most the budget.
    pub(crate) buffers: u32,
    /// Whether the modem must be kicked to notice that its buffers came back.
    pub(crate) need_kick: bool,
}

impl<'bound> Rx<'bound> {
    /// Takes the device side of the reversed vring, whose buffers are as `config` says and lie in
    /// `windows`.
    pub(crate) fn new(
        queues: &Queues<'bound>,
        layout: Layout,
        features: Features,
        windows: Windows<'bound>,
        config: Direction,
    ) -> Result<Self> {
        let num = usize::from(layout.num());
        let mem = queues.ring_mem(Vring::Rx)?;
        let in_flight = KVec::from_elem(false, num, GFP_KERNEL)?;
        Ok(Self {
            ring: DeviceRing::new(mem, layout, features, in_flight).map_err(|_| EINVAL)?,
            segments: KVec::from_elem(Segment::default(), num, GFP_KERNEL)?,
            current: None,
            frames: Frames {
                windows,
                fit: config.fit(),
            },
            last_seen: queues.last_seen(),
        })
    }

    /// Receives frames, at most as many as the budget, and gives their buffers back. Asks for no
    /// interrupts until [`rearm`](Self::rearm).
    // Always inline, with `receive()` and the caller: 3 instructions a frame fewer (bench, rx 8x1),
    // 11 (rx 1x1).
    #[inline(always)]
    pub(crate) fn poll(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
    ) -> Result<Received, DeviceRingError> {
        self.last_seen.begin_poll();
        if self.is_half_stored() && cx.has_waited() {
            self.ring.count_look();
        }
        self.ring.disable_notify();
        let buffers = self.receive(cx, counters)?;
        Ok(Received {
            buffers,
            need_kick: self.ring.publish(),
        })
    }

    /// Asks for an interrupt when there is more to receive. Returns whether there already is.
    pub(crate) fn rearm(&mut self) -> bool {
        self.last_seen.rx(self.ring.next());
        self.ring.enable_notify()
    }

    /// Returns whether the modem's index must be looked at again, see
    /// [`DeviceRing::is_half_stored`].
    #[inline]
    pub(crate) fn is_half_stored(&self) -> bool {
        self.ring.is_half_stored()
    }

    /// Receives frames, at most as many as the budget. Returns how many buffers were looked at.
    // Always inline, see `poll()`.
    #[inline(always)]
    fn receive(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
    ) -> Result<u32, DeviceRingError> {
        let mut left = cx.budget() as usize;
        if self.current.is_some() {
            left -= self.resume(cx, counters, left)?;
        }
        while left > 0 {
            let Some(next) = self.ring.peek()? else {
                break;
            };
            if let Some(segment) = next.single() {
                self.frames.receive(cx, counters, segment);
                next.give_back(0);
                left -= 1;
            } else {
                let chain = next.fetch(&mut self.segments)?;
                left -= self.receive_part(cx, counters, chain, 0, left)?;
            }
        }
        // At most the budget, which is 32 bits wide.
        Ok(cx.budget() - left as u32)
    }

    /// Goes on with the chain of which a part was received before. Returns how many buffers were
    /// looked at, at most `left`.
    #[cold]
    fn resume(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
        left: usize,
    ) -> Result<usize, DeviceRingError> {
        match self.current.take() {
            Some((chain, next)) => self.receive_part(cx, counters, chain, next, left),
            None => Ok(0),
        }
    }

    /// Receives at most `left` buffers of a chain, from the one with number `next` on, and gives
    /// the chain back after its last. Returns how many buffers were looked at.
    // Always inline: 9 instructions a frame fewer (bench, rx 8x8), 1 more (rx 8x1).
    #[inline(always)]
    fn receive_part(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
        chain: Chain,
        next: usize,
        left: usize,
    ) -> Result<usize, DeviceRingError> {
        let end = chain.len().min(next + left);
        for segment in self.segments.get(next..end).unwrap_or_default() {
            self.frames.receive(cx, counters, segment);
        }
        if end < chain.len() {
            self.current = Some((chain, end));
        } else {
            self.ring.give_back(chain, 0)?;
        }
        Ok(end - next)
    }
}

impl Frames<'_> {
    /// Receives the frame in a buffer, or counts why not.
    // Always inline: 45 instructions a frame fewer (bench, rx 8x1).
    #[inline(always)]
    fn receive(&self, cx: &napi::Context<'_>, counters: &Counters, segment: &Segment) {
        if let Err(fault) = self.try_receive(cx, segment) {
            counters.count(fault);
            trace::frame_dropped(cx.dev(), fault.name(), segment.addr(), segment.len());
        }
    }

    /// Copies the frame in a buffer to a packet for the stack, or returns why not.
    #[inline]
    fn try_receive(&self, cx: &napi::Context<'_>, segment: &Segment) -> Result<(), Counter> {
        if segment.is_write() {
            return Err(Counter::Write);
        }
        let place = self.fit.place(segment.len()).ok_or(Counter::Length)?;
        let frame = self
            .windows
            .find(segment.addr(), &place)
            .ok_or(Counter::Address)?;
        if frames::receive(cx, &frame) {
            Ok(())
        } else {
            Err(Counter::NoMemory)
        }
    }
}
