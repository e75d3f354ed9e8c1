// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Executes the steps of cases about CAIF.

use crate::{
    execute::{Counters, Executor, SOON},
    expr::Expr,
    stack::{self, GOOD, Good, Stack},
    step::Step,
};
use anyhow::{Context, bail, ensure};
use caif_wire::{CONTROL_CHANNEL, Data, Service};
use hostile_frame::{
    self as payload, Frame, Kind,
    command::{Answer, Command, MAX_TEXT, Open, Received, from_hex, to_hex},
};

/// Frames that are made available at once.
const BURST: u64 = 200;
/// Frames that fill KASAN's quarantine before the first case, and the length of their bodies.
const WARM_UP: u64 = 4000;
const WARM_LEN: usize = 3500;
/// Frames of Linux that a failed case shows.
const SHOWN: usize = 8;

impl Executor {
    /// Executes a step about CAIF.
    pub(crate) fn stack_step(&mut self, step: &Step) -> anyhow::Result<()> {
        let mut step = step.clone();
        if let Some(socket) = step.socket() {
            *socket = socket.replace('#', &self.n.to_string());
        }
        let step = &step;
        match step {
            Step::Stack { on } => self.switch(*on),
            Step::Each {
                from,
                to,
                except,
                steps,
            } => self.each(*from, to, except, steps),
            Step::Open { open, answer } => self.open(open, *answer),
            Step::Fails { open, with } => {
                let got = self.command(&Command::Open(open.clone()))?;
                ensure!(got == Answer::Errno(with.clone()), "the guest says {got:?}");
                Ok(())
            }
            Step::Connect { socket } => {
                self.done(&Command::Connect {
                    socket: socket.clone(),
                })?;
                self.asked(socket)
            }
            Step::Answer { .. } => self.answer_request(step),
            Step::Frames { .. } => self.frames(step),
            Step::Data { to, len, times } => self.data(to, len, times),
            Step::Gets { .. } => self.gets(step),
            Step::Sends { socket, len, error } => self.sends(socket, len, error.as_deref()),
            Step::State { socket, is } => self.state(socket, is),
            Step::Counter { of, name, is } => {
                let (of, name) = (of.clone(), name.clone());
                match self.command(&Command::Counter { of, name })? {
                    Answer::Number(number) if is.allows(number) => Ok(()),
                    other => bail!("the guest says {other:?}"),
                }
            }
            Step::Came { on, hex } => {
                let on = self.eval8(on)?;
                self.came(on, &bytes(hex)?)
            }
            Step::Destroyed { id, times } => {
                let (id, times) = (self.eval8(id)?, self.eval(times)?);
                for _ in 0..times {
                    self.came(CONTROL_CHANNEL, &[1, id])?;
                }
                self.caif()?.destroyed(id);
                Ok(())
            }
            Step::CameMany {
                on,
                hex,
                least,
                most,
            } => {
                let on = self.eval8(on)?;
                self.came_many((on, bytes(hex)?), *least, *most)
            }
            Step::Asked { socket } => {
                // Requests of the guest may come at the same time.
                self.ready()?;
                self.asked(socket)
            }
            Step::CloseUnder { socket, hex, times } => self.close_under(socket, hex, *times),
            Step::Close { socket } => self.close(socket),
            Step::CloseAll {} => self.close_all(),
            other => bail!("{other:?} is no step of the modem"),
        }
    }

    fn eval8(&mut self, expr: &Expr) -> anyhow::Result<u8> {
        Ok(self.eval(expr)? as u8)
    }

    /// Returns the modem's side of CAIF.
    fn caif(&mut self) -> anyhow::Result<&mut Stack> {
        let stack = self.modem.link()?.stack.as_mut();
        stack.context("Linux does not use CAIF on the link")
    }

    fn switch(&mut self, on: bool) -> anyhow::Result<()> {
        if on {
            self.modem.caif = true;
            self.modem.link()?.stack = Some(Stack::default());
            self.send(Kind::Command, vec![], 0)?;
            self.ready()?;
            // KASAN's quarantine of freed memory grows up to a limit.
            let warm = stack::encode(CONTROL_CHANNEL, &[0; WARM_LEN], None);
            self.transmit(&[warm], WARM_UP)
        } else {
            self.done(&Command::End)?;
            self.came(CONTROL_CHANNEL, &[1, GOOD])?;
            self.modem.caif = false;
            self.modem.link()?.stack = None;
            Ok(())
        }
    }

    /// Waits for the good channel, and sets it up if Linux asks for it.
    fn ready(&mut self) -> anyhow::Result<()> {
        self.caif()?.check()?;
        if self.caif()?.good == Good::Up {
            return Ok(());
        }
        let params = self
            .modem
            .wait_on_link("the request for the good channel", SOON, |link| {
                let stack = link.stack.as_ref();
                Ok(match stack.map(|stack| &stack.good) {
                    Some(Good::Asked(params)) => Some(params.clone()),
                    _ => None,
                })
            })?;
        self.caif()?.good = Good::Up;
        let mut body = vec![0x20];
        body.extend(params);
        body.push(GOOD);
        self.transmit(&[stack::encode(CONTROL_CHANNEL, &body, None)], 1)
    }

    /// Sends a frame to the guest on the good channel, and waits for its answer.
    pub(crate) fn exchange(&mut self, kind: Kind, text: Vec<u8>) -> anyhow::Result<Frame> {
        self.ready()?;
        let seq = self.modem.link()?.next_seq();
        let frame = self.good_frame(kind, seq, text)?;
        self.transmit(&[frame], 1)?;
        self.answered(seq)
    }

    /// Returns a frame of the good channel.
    fn good_frame(&mut self, kind: Kind, seq: u32, text: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        ensure!(text.len() <= MAX_TEXT, "{} bytes for the guest", text.len());
        let frame = Frame {
            kind,
            seq,
            payload: text,
        };
        let mut body = vec![0; 4];
        body.extend(frame.encode(0));
        self.caif()?.commands += 1;
        Ok(stack::encode(GOOD, &body, None))
    }

    /// Waits for the guest's answer.
    fn answered(&mut self, seq: u32) -> anyhow::Result<Frame> {
        let answer = self
            .modem
            .wait_on_link("an answer on the good channel", SOON, |link| {
                let stack = link.stack.as_mut().context("no CAIF")?;
                stack.check()?;
                Ok(stack.answers.pop_front())
            })?;
        ensure!(
            answer.seq == seq && answer.kind == Kind::Answer,
            "on the good channel came {answer:?}"
        );
        Ok(answer)
    }

    /// Passes a frame each way on the good channel. The guest's answer has its counters.
    pub(crate) fn stack_report(&mut self, mark: Vec<u8>) -> anyhow::Result<Counters> {
        let answer = self.exchange(Kind::Report, mark)?;
        let counters: Counters = serde_json::from_slice(&answer.payload)?;
        let (sent, got) = (self.caif()?.commands, counters.get("commands"));
        ensure!(
            got == Some(&sent),
            "of {sent} frames of the good channel {got:?} arrived"
        );
        Ok(counters)
    }

    fn command(&mut self, command: &Command) -> anyhow::Result<Answer> {
        let answer = self.exchange(Kind::Command, serde_json::to_vec(command)?)?;
        match serde_json::from_slice(&answer.payload)? {
            Answer::Failed(why) => bail!("the guest: {why}"),
            answer => Ok(answer),
        }
    }

    fn done(&mut self, command: &Command) -> anyhow::Result<()> {
        match self.command(command)? {
            Answer::Done => Ok(()),
            other => bail!("the guest says {other:?}"),
        }
    }

    fn state(&mut self, socket: &str, is: &str) -> anyhow::Result<()> {
        self.done(&Command::State {
            socket: socket.into(),
            is: is.into(),
        })?;
        if is.starts_with("connected") {
            let asked = self.caif()?.channel(socket)?;
            asked.id = asked.offered.take().or(asked.id);
        }
        Ok(())
    }

    /// Makes frames available, `times` times all of them, and waits until Linux returned them.
    fn transmit(&mut self, frames: &[Vec<u8>], times: u64) -> anyhow::Result<()> {
        self.returned()?;
        let link = self.modem.link()?;
        let heads: Vec<u16> = (0..)
            .zip(frames)
            .map(|(place, frame)| link.write(place, frame))
            .collect::<Result<_, _>>()?;
        let mut left = times;
        while left > 0 {
            let burst = left.min((BURST / heads.len().max(1) as u64).max(1));
            let rx = &mut self.modem.link()?.rx;
            (0..burst).for_each(|_| heads.iter().for_each(|head| rx.put(*head)));
            rx.expose();
            self.ring(1)?;
            self.returned()?;
            left -= burst;
        }
        Ok(())
    }

    fn each(&mut self, from: u64, to: &Expr, except: &[u64], steps: &[Step]) -> anyhow::Result<()> {
        let to = self.eval(to)?;
        ensure!(from <= to, "nothing from {from} to {to}");
        for n in (from..=to).filter(|n| !except.contains(n)) {
            self.n = n;
            for (at, step) in steps.iter().enumerate() {
                let result = self.execute(step);
                result.with_context(|| format!("with n = {n}, step {}", at + 1))?;
            }
        }
        Ok(())
    }

    fn open(&mut self, open: &Open, answer: bool) -> anyhow::Result<()> {
        self.done(&Command::Open(open.clone()))?;
        self.asked(&open.socket)?;
        if answer {
            let id = self.caif()?.free_id()?;
            let body = self.offer(&open.socket, 0x20, id, &[])?;
            self.transmit(&[stack::encode(CONTROL_CHANNEL, &body, None)], 1)?;
            self.state(&open.socket, "connected")?;
        }
        Ok(())
    }

    /// Receives the request of a socket.
    fn asked(&mut self, socket: &str) -> anyhow::Result<()> {
        let (first, second) = (self.next()?, self.next()?);
        let asked = Stack::request(&first, &second)?;
        self.caif()?.channels.insert(socket.to_owned(), asked);
        Ok(())
    }

    fn offer(&mut self, to: &str, first: u8, id: u8, more: &[u8]) -> anyhow::Result<Vec<u8>> {
        let asked = self.caif()?.channel(to)?;
        asked.offered = Some(id);
        asked.answer(first, id, more)
    }

    fn answer_request(&mut self, step: &Step) -> anyhow::Result<()> {
        let Step::Answer {
            to,
            first,
            id,
            flip,
            appended,
            cut,
            more,
            times,
        } = step
        else {
            bail!("no answer");
        };
        let (first, times) = (self.eval8(first)?, self.eval(times)?);
        let id = match id {
            Some(id) => self.eval8(id)?,
            None => self.caif()?.free_id()?,
        };
        let cut = cut.as_ref().map(|cut| self.eval(cut)).transpose()?;
        let mut body = self.offer(to, first, id, &bytes(appended)?)?;
        for (at, bits) in flip {
            let bits = self.eval8(bits)?;
            *body.get_mut(*at).context("a place in the answer")? ^= bits;
        }
        if let Some(cut) = cut {
            body.truncate(usize::try_from(cut)?);
        }
        body.extend(bytes(more)?);
        self.transmit(&[stack::encode(CONTROL_CHANNEL, &body, None)], times)
    }

    fn frames(&mut self, step: &Step) -> anyhow::Result<()> {
        let Step::Frames {
            on,
            bytes: start,
            hex,
            fill,
            length,
            cut,
            times,
        } = step
        else {
            bail!("no frames");
        };
        let (on, fill) = (self.eval8(on)?, self.eval(fill)?);
        let length = length.as_ref().map(|length| self.eval(length));
        let length = length.transpose()?.map(|length| length as u16);
        let cut = cut.as_ref().map(|cut| self.eval(cut)).transpose()?;
        let times = self.eval(times)?;
        let mut frames = Vec::new();
        for hex in hex {
            let mut body = Vec::new();
            for byte in start {
                body.push(self.eval8(byte)?);
            }
            body.extend(bytes(hex)?);
            body.extend((0..fill).map(payload::fill));
            let mut frame = stack::encode(on, &body, length);
            if let Some(cut) = cut {
                frame.truncate(usize::try_from(cut)?);
            }
            frames.push(frame);
        }
        self.transmit(&frames, times)
    }

    fn data(&mut self, to: &str, len: &Expr, times: &Expr) -> anyhow::Result<()> {
        let (len, times) = (self.eval(len)?, self.eval(times)?);
        let payload: Vec<u8> = (0..len).map(payload::fill).collect();
        let stack = self.caif()?;
        let service = stack.channel(to)?.service;
        let id = stack.id(to).context("the channel has no id")?;
        let body = body(service, &payload)?;
        self.transmit(&[stack::encode(id, &body, None)], times)
    }

    fn gets(&mut self, step: &Step) -> anyhow::Result<()> {
        let Step::Gets {
            socket,
            count,
            most,
            len,
            hex,
            then,
        } = step
        else {
            bail!("no payloads");
        };
        let want = match (len, hex) {
            (Some(len), _) => Some((0..self.eval(len)?).map(payload::fill).collect()),
            (None, Some(hex)) => Some(bytes(hex)?),
            (None, None) => None,
        };
        let received = match self.command(&Command::Receive {
            socket: socket.clone(),
        })? {
            Answer::Received(received) => received,
            other => bail!("the guest says {other:?}"),
        };
        ensure!(
            count.allows(received.count)
                && received.count <= most.unwrap_or(u64::MAX)
                && received.then == *then,
            "the guest received {received:?}, want {count:?} and then {then}"
        );
        if let Some(want) = want {
            ensure!(is_each(&received, &want), "the guest received {received:?}");
        }
        Ok(())
    }

    fn sends(&mut self, socket: &str, len: &Expr, error: Option<&str>) -> anyhow::Result<()> {
        let len = self.eval(len)?;
        let got = self.command(&Command::Send {
            socket: socket.to_owned(),
            len: u32::try_from(len)?,
        })?;
        if let Some(error) = error {
            ensure!(got == Answer::Errno(error.into()), "the guest says {got:?}");
            return Ok(());
        }
        ensure!(got == Answer::Done, "the guest says {got:?}");
        let stack = self.caif()?;
        let service = stack.channel(socket)?.service;
        let id = stack.id(socket).context("the channel has no id")?;
        let payload: Vec<u8> = (0..len).map(payload::fill).collect();
        self.came(id, &body(service, &payload)?)
    }

    /// Waits for the next frame of Linux.
    fn next(&mut self) -> anyhow::Result<(u8, Vec<u8>)> {
        self.modem.wait_on_link("a frame of Linux", SOON, |link| {
            let stack = link.stack.as_mut().context("no CAIF")?;
            stack.check()?;
            Ok(stack.inbox.pop_front())
        })
    }

    fn came(&mut self, channel: u8, body: &[u8]) -> anyhow::Result<()> {
        let (on, got) = self.next()?;
        ensure!(
            on == channel && got == body,
            "on channel {on} came {}, want {} on {channel}",
            to_hex(&got),
            to_hex(body)
        );
        Ok(())
    }

    fn came_many(&mut self, want: (u8, Vec<u8>), least: u64, most: u64) -> anyhow::Result<()> {
        // The guest's answer comes after all frames that Linux sent because of earlier ones.
        self.done(&Command::Nothing)?;
        let inbox = &mut self.caif()?.inbox;
        let count = inbox.iter().take_while(|frame| **frame == want).count();
        inbox.drain(..count);
        ensure!(
            (least..=most).contains(&(count as u64)),
            "{count} frames came of {want:02x?}, want {least} to {most}"
        );
        Ok(())
    }

    fn close_under(&mut self, socket: &str, hex: &str, times: u64) -> anyhow::Result<()> {
        let id = self.caif()?.id(socket).context("the channel has no id")?;
        let frame = stack::encode(id, &bytes(hex)?, None);
        let seq = self.modem.link()?.next_seq();
        let command = Command::Close {
            socket: socket.to_owned(),
        };
        let command = self.good_frame(Kind::Command, seq, serde_json::to_vec(&command)?)?;
        self.returned()?;
        let link = self.modem.link()?;
        let (frame, command) = (link.write(0, &frame)?, link.write(1, &command)?);
        // As many as the ring has places for, at a time.
        (0..times.min(BURST / 2)).for_each(|_| link.rx.put(frame));
        link.rx.put(command);
        (0..times.min(BURST / 2)).for_each(|_| link.rx.put(frame));
        link.rx.expose();
        self.ring(1)?;
        self.returned()?;
        let answer = self.answered(seq)?;
        let answer: Answer = serde_json::from_slice(&answer.payload)?;
        ensure!(answer == Answer::Done, "the guest says {answer:?}");
        self.closed(socket)
    }

    fn close(&mut self, socket: &str) -> anyhow::Result<()> {
        self.done(&Command::Close {
            socket: socket.to_owned(),
        })?;
        self.closed(socket)
    }

    /// Waits for the frames that the end of a socket sends. Its request can be answered later.
    fn closed(&mut self, socket: &str) -> anyhow::Result<()> {
        match self.caif()?.channel(socket)?.id.take() {
            Some(id) => self.came(CONTROL_CHANNEL, &[1, id]),
            None => Ok(()),
        }
    }

    fn close_all(&mut self) -> anyhow::Result<()> {
        self.done(&Command::CloseAll)?;
        let stack = self.caif()?;
        let channels = std::mem::take(&mut stack.channels);
        for id in channels.values().filter_map(|asked| asked.id) {
            let destroy = (CONTROL_CHANNEL, vec![1, id]);
            let at = stack.inbox.iter().position(|frame| *frame == destroy);
            let at = at.with_context(|| format!("no LINK_DESTROY of {id} came"))?;
            stack.inbox.remove(at);
        }
        let left = stack.inbox.len();
        let shown: Vec<_> = stack.inbox.drain(..).take(SHOWN).collect();
        ensure!(
            left == 0,
            "Linux sent {left} frames that no step waited for: {shown:02x?}"
        );
        stack.check()
    }
}

/// Returns a payload with the header that the service has in front of it.
fn body(service: Service, payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    let data = match service {
        Service::Rfm => Data::Segment {
            more: false,
            bytes: payload,
        },
        _ => Data::Payload(payload),
    };
    let (header, payload) = data.parts(service).context("a payload")?;
    Ok([header, payload].concat())
}

fn bytes(hex: &str) -> anyhow::Result<Vec<u8>> {
    from_hex(hex).with_context(|| format!("{hex:?} is no hexadecimal"))
}

/// Returns whether each payload that was received is this one.
fn is_each(received: &Received, want: &[u8]) -> bool {
    received.same
        && received.bytes == received.count * want.len() as u64
        && (received.count == 0
            || (!want.is_empty() || received.first.is_empty())
                && to_hex(want).starts_with(&received.first))
}

#[cfg(test)]
mod tests {
    use super::is_each;
    use hostile_frame::command::Received;

    #[test]
    fn what_was_received_is_compared() {
        let received = Received {
            count: 3,
            bytes: 6,
            first: "c1c2".into(),
            same: true,
            then: "EAGAIN".into(),
        };
        assert!(is_each(&received, &[0xc1, 0xc2]));
        assert!(!is_each(&received, &[0xc1, 0xc3]));
        assert!(!is_each(&received, &[0xc1]));
        let other = Received {
            same: false,
            ..received.clone()
        };
        assert!(!is_each(&other, &[0xc1, 0xc2]));
        let short = Received {
            bytes: 5,
            ..received
        };
        assert!(!is_each(&short, &[0xc1, 0xc2]));
    }
}
