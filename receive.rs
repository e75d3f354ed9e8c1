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
        doorbell::Seen,
        queues::Queues,
        ring_mem::VringMem,
        windows::Windows,
        VRING_RX, //
    },
    vring_layout::Layout,
    vring_mem::Features,
    vring_reversed::{
        Chain,
        Ring,
        RingError,
        Segment, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// State of reception.
pub struct Rx<'bound> {
    /// The reversed vring.
    pub ring: Ring<VringMem<'bound>, KVec<bool>>,
    /// The segments of the chain that was fetched last.
    segments: KVec<Segment>,
    /// A chain of which only some segments fitted into the budget, and the next one of them.
    current: Option<(Chain, usize)>,
    frames: Frames<'bound>,
    seen: Arc<Seen>,
}

/// Where frames are in the modem's buffers.
struct Frames<'bound> {
    windows: Windows<'bound>,
    fit: Fit,
}

impl<'bound> Rx<'bound> {
    /// Takes the device side of the reversed vring, whose buffers are as `config` says and lie in
    /// `windows`.
    pub fn new(
        queues: &Queues<'bound>,
        layout: Layout,
        features: Features,
        windows: Windows<'bound>,
        config: Direction,
    ) -> Result<Self> {
        let num = usize::from(layout.num());
        let mem = queues.ring_mem(VRING_RX)?;
        let in_flight = KVec::from_elem(false, num, GFP_KERNEL)?;
        Ok(Self {
            ring: Ring::new(mem, layout, features, in_flight).map_err(|_| EINVAL)?,
            segments: KVec::from_elem(Segment::default(), num, GFP_KERNEL)?,
            current: None,
            frames: Frames {
                windows,
                fit: config.fit(),
            },
            seen: queues.seen(),
        })
    }

    /// Asks for an interrupt when there is more to receive. Returns whether there already is.
    pub fn rearm(&mut self) -> bool {
        self.seen.rx(self.ring.next());
        self.ring.enable_notify()
    }

    /// Begins to receive: asks for no more interrupts.
    pub fn begin(&mut self) {
        self.seen.begin_poll();
        self.ring.disable_notify();
    }

    /// Receives frames, at most as many as the budget. Returns how many buffers were looked at,
    /// good or bad. What was given back is not published yet.
    // There is one caller.
    #[inline(always)]
    pub fn receive(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
    ) -> Result<u32, RingError> {
        let mut left = cx.budget() as usize;
        if self.current.is_some() {
            left -= self.resume(cx, counters, left)?;
        }
        while left > 0 {
            let Some(next) = self.ring.peek()? else {
                break;
            };
            if let Some(segment) = next.single() {
                self.frames.buffer(cx, counters, segment);
                next.give_back(0);
                left -= 1;
            } else {
                let chain = next.fetch(&mut self.segments)?;
                left -= self.part(cx, counters, chain, 0, left)?;
            }
        }
        // At most the budget.
        Ok(cx.budget() - left as u32)
    }

    /// As [`part`](Self::part), of the chain of which a part was received before.
    #[cold]
    fn resume(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
        left: usize,
    ) -> Result<usize, RingError> {
        match self.current.take() {
            Some((chain, next)) => self.part(cx, counters, chain, next, left),
            None => Ok(0),
        }
    }

    /// Receives what the budget allows of a chain: at most `left` buffers, from the one with number
    /// `next` on. Returns how many.
    // One of the two callers is cold.
    #[inline(always)]
    fn part(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
        chain: Chain,
        next: usize,
        left: usize,
    ) -> Result<usize, RingError> {
        let end = chain.len().min(next + left);
        for segment in self.segments.get(next..end).unwrap_or_default() {
            self.frames.buffer(cx, counters, segment);
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
    #[inline(always)]
    fn buffer(&self, cx: &napi::Context<'_>, counters: &Counters, segment: &Segment) {
        if let Err(fault) = self.frame(cx, segment) {
            counters.count(fault);
            cx.dev()
                .trace_drop(fault.name(), segment.addr(), segment.len());
        }
    }

    /// Copies the frame out of a buffer, or says why not.
    #[inline(always)]
    fn frame(&self, cx: &napi::Context<'_>, segment: &Segment) -> Result<(), Counter> {
        if segment.is_write() {
            return Err(Counter::Write);
        }
        let place = self.fit.place(segment.len()).ok_or(Counter::Length)?;
        let frame = self
            .windows
            .find(segment.addr(), &place)
            .ok_or(Counter::Address)?;
        if frame.receive(cx) {
            Ok(())
        } else {
            Err(Counter::NoMemory)
        }
    }
}
