// SPDX-License-Identifier: GPL-2.0

//! Reception: frames out of the modem's buffers on the reversed vring.

use crate::{
    abstractions::{
        bindings,
        napi, //
    },
    counters::{
        Counter,
        Counters, //
    },
    link_config::Direction,
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
    pub ring: Ring<VringMem<'bound>, KVec<u32>>,
    /// The segments of the chain that was fetched last.
    segments: KVec<Segment>,
    /// A chain of which only some segments fitted into the budget, and the next one of them.
    current: Option<(Chain, usize)>,
    windows: Windows<'bound>,
    seen: Arc<Seen>,
    config: Direction,
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
        let in_flight = KVec::from_elem(0, num.div_ceil(32), GFP_KERNEL)?;
        Ok(Self {
            ring: Ring::new(mem, layout, features, in_flight).map_err(|_| EINVAL)?,
            segments: KVec::from_elem(Segment::default(), num, GFP_KERNEL)?,
            current: None,
            windows,
            seen: queues.seen(),
            config,
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
    pub fn receive(
        &mut self,
        cx: &napi::Context<'_>,
        counters: &Counters,
    ) -> Result<u32, RingError> {
        let mut done = 0;
        while done < cx.budget() {
            let (chain, mut next) = match self.current.take() {
                Some(current) => current,
                None => match self.ring.fetch(&mut self.segments)? {
                    Some(chain) => (chain, 0),
                    None => break,
                },
            };
            while next < chain.len() && done < cx.budget() {
                if let Some(segment) = self.segments.get(next) {
                    if let Err(fault) = self.frame(cx, segment) {
                        counters.count(fault);
                        cx.dev()
                            .trace_drop(fault.name(), segment.addr(), segment.len());
                    }
                }
                next += 1;
                done += 1;
            }
            if next < chain.len() {
                self.current = Some((chain, next));
            } else {
                self.ring.give_back(chain, 0)?;
            }
        }
        Ok(done)
    }

    /// Copies the frame out of a buffer, or says why not.
    fn frame(&self, cx: &napi::Context<'_>, segment: &Segment) -> Result<(), Counter> {
        let config = &self.config;
        if segment.is_write() {
            return Err(Counter::Write);
        }
        if segment.len() > config.mtu || segment.len() <= config.room() {
            return Err(Counter::Length);
        }
        let frame = self
            .windows
            .find(segment.addr(), segment.len())
            .ok_or(Counter::Address)?
            .trim(config.headroom, config.tailroom)
            .ok_or(Counter::Length)?;
        if frame.receive(cx, bindings::ETH_P_CAIF as u16) {
            Ok(())
        } else {
            Err(Counter::NoMemory)
        }
    }
}
