// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Executes the steps of a case.

use crate::{
    background::{self, Background, Race},
    expr::Expr,
    firmware_file::hex,
    modem::{Modem, VECTOR_RX},
    names,
    step::{Buffer, Step},
};
use anyhow::{Context, bail, ensure};
use hostile_frame::{Frame, Kind};
use kernel_pure::vring_layout::DESC_F_NEXT;
use modem_ring::Desc;
use std::{collections::BTreeMap, time::Duration};

/// Time limit for immediate reactions of Linux, which is emulated, with sanitizers, on a busy host.
pub(crate) const SOON: Duration = Duration::from_secs(20);
/// Time limit for a recovery, which may wait for a watchdog of Linux.
const RECOVERY: Duration = Duration::from_secs(40);
/// Bytes of a plain frame.
const FRAME: u64 = 100;

/// The modem and its background threads.
pub struct Executor {
    pub(crate) modem: Modem,
    background: Background,
    mark: u32,
    /// The value of `n` in a loop.
    pub(crate) n: u64,
}

/// Counters of the guest, by name.
pub type Counters = BTreeMap<String, u64>;

impl Executor {
    /// Creates an executor for a modem.
    pub fn new(modem: Modem) -> Self {
        Self {
            modem,
            background: Background::default(),
            mark: 1 << 31,
            n: 0,
        }
    }

    /// Returns the modem.
    pub fn modem(&mut self) -> &mut Modem {
        &mut self.modem
    }

    pub(crate) fn eval(&mut self, expr: &Expr) -> anyhow::Result<u64> {
        let n = self.n;
        let link = self.modem.link();
        Ok(expr.eval(|name| match &link {
            _ if name == "n" => Some(n),
            Ok(link) => names::value(link, name),
            Err(_) => names::fixed(name),
        })?)
    }

    fn eval16(&mut self, expr: &Expr) -> anyhow::Result<u16> {
        Ok(self.eval(expr)? as u16)
    }

    /// Executes a step.
    pub fn execute(&mut self, step: &Step) -> anyhow::Result<()> {
        match step {
            Step::Store { at, value, width } => {
                let (at, value) = (self.eval(at)?, self.eval(value)?);
                background::store(self.modem.board().memory(), at, value, *width)
            }
            Step::Fill { at, len } => {
                let (at, len) = (self.eval(at)?, self.eval(len)?);
                self.modem.link()?.fill(at, len)
            }
            Step::Chain { head, buffers } => self.chain(head, buffers),
            Step::Links { head, count, last } => self.links(head, count, last.as_ref()),
            Step::Avail { heads, times } => {
                for head in (0..*times).flat_map(|_| heads) {
                    let head = self.eval16(head)?;
                    self.modem.link()?.rx.put(head);
                }
                Ok(())
            }
            Step::Publish { by, ring } => {
                let by = self.eval16(by)?;
                let rx = &mut self.modem.link()?.rx;
                rx.skip(by);
                rx.expose();
                self.ring(if *ring { 1 } else { 0 })
            }
            Step::Returned {} => self.returned(),
            Step::Deliver { hex: bytes } => self.deliver(&hex(bytes)?),
            Step::Echo {} => self.echo(),
            Step::Hold {} => {
                let tx = &mut self.modem.link()?.tx;
                tx.held = true;
                tx.taken.clear();
                Ok(())
            }
            Step::Release {} => {
                self.modem.link()?.tx.held = false;
                Ok(())
            }
            Step::Ask { count, len, wait } => self.ask(*count, *len, *wait),
            Step::Take { count } => self.take(*count),
            Step::Used { id, len } => {
                let (id, len) = (self.eval(id)?, self.eval(len)?);
                let ring = &mut self.modem.link()?.tx.ring;
                ring.put_used(id as u32, len as u32);
                Ok(())
            }
            Step::PublishUsed { by } => {
                let by = self.eval16(by)?;
                let ring = &mut self.modem.link()?.tx.ring;
                ring.skip(by);
                ring.expose();
                Ok(self.modem.board().ring(1)?)
            }
            Step::Ring { vector, times } => {
                let vector = self.eval16(vector)?;
                (0..*times).try_for_each(|_| Ok(self.modem.board().ring(vector.into())?))
            }
            Step::Storm { vectors } => self.storm(vectors),
            Step::Race {
                at,
                values,
                width,
                across,
            } => self.race(at, values, *width, *across),
            Step::Calm {} => {
                self.background.calm();
                Ok(())
            }
            Step::Hammer {
                head,
                times,
                burst,
                until,
            } => self.hammer(head, *times, *burst, until),
            Step::NewBoot {} | Step::NewLink {} => bail!("is for a state to compare with"),
            Step::Crash {} => {
                let (boot, _) = self.modem.state();
                self.modem.crash(boot.context("there is no boot")?)
            }
            Step::Kill {}
            | Step::Start {}
            | Step::Freeze {}
            | Step::Thaw {}
            | Step::Stable {}
            | Step::Reboot {}
            | Step::Rebind { .. }
            | Step::Guest { .. }
            | Step::Log { .. } => bail!("is no step of the modem"),
            step => self.stack_step(step),
        }
    }

    /// Waits for a link that is not of boot `boot`, and for more than `links` of them.
    pub fn wait_link(&mut self, boot: Option<u32>, links: u32) -> anyhow::Result<()> {
        self.modem.wait("a new link", RECOVERY, |modem| {
            let (now, count) = modem.state();
            let is_new = boot.is_none() || now != boot;
            Ok((modem.is_up() && is_new && count > links).then_some(()))
        })
    }

    /// Passes a frame each way. The guest's answer has its counters.
    pub fn report(&mut self, mark: u32) -> anyhow::Result<Counters> {
        let mark = mark.to_le_bytes().to_vec();
        let answer = if self.modem.caif {
            return self.stack_report(mark);
        } else {
            let seq = self.send(Kind::Report, mark, 0)?;
            self.answer(seq, Kind::Answer)?
        };
        Ok(serde_json::from_slice(&answer.payload)?)
    }

    pub(crate) fn ring(&mut self, times: u32) -> anyhow::Result<()> {
        (0..times).try_for_each(|_| Ok(self.modem.board().ring(VECTOR_RX)?))
    }

    /// Sends a frame in the modem's own buffer, and waits for the buffer's return. Returns the
    /// frame's number.
    pub(crate) fn send(
        &mut self,
        kind: Kind,
        payload: Vec<u8>,
        total: usize,
    ) -> anyhow::Result<u32> {
        let seq = self.start_send(kind, payload, total)?;
        self.returned()?;
        Ok(seq)
    }

    /// Sends a frame in the modem's own buffer, without waiting for the buffer's return.
    fn start_send(&mut self, kind: Kind, payload: Vec<u8>, total: usize) -> anyhow::Result<u32> {
        // The buffer is free once all are returned.
        self.returned()?;
        let link = self.modem.link()?;
        let seq = link.next_seq();
        let frame = Frame { kind, seq, payload };
        link.send(&frame.encode(total))?;
        self.ring(1)?;
        Ok(seq)
    }

    pub(crate) fn returned(&mut self) -> anyhow::Result<()> {
        self.modem
            .wait_on_link("the return of all buffers", SOON, |link| {
                Ok(link.all_returned().then_some(()))
            })
    }

    /// Waits for the answer to a frame. Only plain frames may come before it.
    fn answer(&mut self, seq: u32, kind: Kind) -> anyhow::Result<Frame> {
        self.modem.wait_on_link("an answer", SOON, |link| {
            while let Some(bytes) = link.inbox.pop_front() {
                match Frame::decode(&bytes) {
                    Some(frame) if frame.seq == seq && frame.kind == kind => {
                        return Ok(Some(frame));
                    }
                    Some(frame) => ensure!(frame.kind == Kind::Plain, "{frame:?} came"),
                    None => bail!("Linux sent {bytes:02x?}"),
                }
            }
            Ok(None)
        })
    }

    fn echo(&mut self) -> anyhow::Result<()> {
        let seq = self.send(Kind::Echo, vec![], 100)?;
        self.answer(seq, Kind::Echo).map(|_| ())
    }

    fn deliver(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut payload = u32::try_from(bytes.len())?.to_le_bytes().to_vec();
        payload.extend(crc32fast::hash(bytes).to_le_bytes());
        self.send(Kind::Announce, payload, 0)?;
        self.modem.link()?.announced = Some(bytes.to_vec());
        self.modem.link()?.send(bytes)?;
        self.ring(1)?;
        self.modem
            .wait_on_link("the frame that was delivered", SOON, |link| {
                match link.inbox.pop_front() {
                    Some(back) => {
                        ensure!(back == bytes, "Linux sent {back:02x?}");
                        link.announced = None;
                        Ok(Some(()))
                    }
                    None => Ok(None),
                }
            })?;
        self.returned()
    }

    fn ask(&mut self, count: u16, len: u16, wait: bool) -> anyhow::Result<()> {
        let mut payload = count.to_le_bytes().to_vec();
        payload.extend(len.to_le_bytes());
        if wait {
            self.send(Kind::Ask, payload, 0).map(|_| ())
        } else {
            self.start_send(Kind::Ask, payload, 0).map(|_| ())
        }
    }

    fn take(&mut self, count: u16) -> anyhow::Result<()> {
        self.modem.wait_on_link("frames from Linux", SOON, |link| {
            // A case may have overwritten avail.idx, until Linux stores the next one.
            let pending = link.tx.pending();
            Ok(pending.is_ok_and(|pending| pending >= count).then_some(()))
        })?;
        let link = self.modem.link()?;
        (0..count).try_for_each(|_| link.take().map(|_| ()))
    }

    /// Writes a plain frame to the buffer at `addr`. Returns the length of headroom, frame and
    /// tailroom.
    fn plain(&mut self, addr: u64, len: u64) -> anyhow::Result<u32> {
        let link = self.modem.link()?;
        let seq = link.next_seq();
        let frame = Frame {
            kind: Kind::Plain,
            seq,
            payload: vec![],
        };
        let mut bytes = frame.encode(usize::try_from(len)?);
        // A length below that of a whole frame leaves only its first bytes.
        bytes.truncate(usize::try_from(len)?);
        let config = link.downlink();
        let at = addr + u64::from(config.headroom);
        link.memory().write(at, &bytes)?;
        Ok(config.room() + u32::try_from(len)?)
    }

    fn chain(&mut self, head: &Expr, buffers: &[Buffer]) -> anyhow::Result<()> {
        let head = self.eval16(head)?;
        let last = u16::try_from(buffers.len())?.saturating_sub(1);
        for (place, buffer) in (0..).zip(buffers) {
            let index = head.wrapping_add(place);
            let addr = match &buffer.addr {
                Some(addr) => self.eval(addr)?,
                None => self.modem.link()?.buffer(index),
            };
            let frame = match &buffer.frame {
                Some(frame) => self.eval(frame)?,
                None => FRAME,
            };
            let mut len = self.modem.link()?.downlink().room() + u32::try_from(frame)?;
            if buffer.addr.is_none() || buffer.frame.is_some() {
                len = self.plain(addr, frame)?;
            }
            let mut desc = Desc {
                addr,
                len,
                flags: if place < last { DESC_F_NEXT } else { 0 },
                next: index.wrapping_add(1),
            };
            if let Some(len) = &buffer.len {
                desc.len = self.eval(len)? as u32;
            }
            if let Some(flags) = &buffer.flags {
                desc.flags = self.eval16(flags)?;
            }
            if let Some(next) = &buffer.next {
                desc.next = self.eval16(next)?;
            }
            self.modem.link()?.rx.fields().write_desc(index, desc);
        }
        self.modem.link()?.rx.put(head);
        Ok(())
    }

    fn links(&mut self, head: &Expr, count: &Expr, last: Option<&Expr>) -> anyhow::Result<()> {
        let (head, count) = (self.eval16(head)?, self.eval16(count)?);
        let last = last.map(|last| self.eval16(last)).transpose()?;
        for place in 0..count {
            let num = self.modem.link()?.rx.fields().num();
            let index = head.wrapping_add(place) % num;
            let addr = self.modem.link()?.buffer(index);
            let len = self.plain(addr, FRAME)?;
            let is_last = place + 1 == count;
            let desc = Desc {
                addr,
                len,
                flags: if is_last && last.is_none() {
                    0
                } else {
                    DESC_F_NEXT
                },
                next: last.filter(|_| is_last).unwrap_or((index + 1) % num),
            };
            self.modem.link()?.rx.fields().write_desc(index, desc);
        }
        Ok(())
    }

    fn storm(&mut self, vectors: &[u16]) -> anyhow::Result<()> {
        let board = self.modem.board();
        let bells = vectors
            .iter()
            .map(|vector| board.bell((*vector).into())?.context("no board to ring"))
            .collect::<anyhow::Result<_>>()?;
        self.background.storm(bells);
        Ok(())
    }

    fn race(&mut self, at: &Expr, values: &[Expr], width: u8, across: bool) -> anyhow::Result<()> {
        let race = Race {
            at: self.eval(at)?,
            values: values
                .iter()
                .map(|value| self.eval(value))
                .collect::<Result<_, _>>()?,
            width,
            across,
        };
        let memory = self.modem.board().memory().clone();
        self.background.race(memory, race)
    }

    fn hammer(
        &mut self,
        head: &Expr,
        times: u32,
        burst: u32,
        until: &[String],
    ) -> anyhow::Result<()> {
        /// Chains between two looks at the counters.
        const BATCH: u32 = 100;
        let head = self.eval16(head)?;
        let (boot, _) = self.modem.state();
        let mut before = None;
        for round in 0..times {
            if !until.is_empty() && round % BATCH == 0 {
                let now = match self.next_report() {
                    Ok(now) => now,
                    Err(_) if self.modem.state().0 != boot => return Ok(()),
                    Err(error) => return Err(error),
                };
                let before = before.get_or_insert_with(|| now.clone());
                if until.iter().all(|name| now.get(name) > before.get(name)) {
                    return Ok(());
                }
            }
            let again = self.hammer_once(head, burst);
            match again {
                Ok(()) => {}
                // The link was given up. The harness decides whether that is right.
                Err(_) if self.modem.state().0 != boot || !self.modem.is_up() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        ensure!(
            until.is_empty(),
            "not all of {until:?} moved in {times} times"
        );
        Ok(())
    }

    fn next_report(&mut self) -> anyhow::Result<Counters> {
        self.mark = self.mark.wrapping_add(1);
        self.report(self.mark)
    }

    fn hammer_once(&mut self, head: u16, burst: u32) -> anyhow::Result<()> {
        let link = self.modem.link()?;
        (0..burst).for_each(|_| link.rx.put(head));
        link.rx.expose();
        self.ring(1)?;
        self.returned()
    }
}
