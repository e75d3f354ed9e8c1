// SPDX-License-Identifier: GPL-2.0

//! What the hostile modem's catalogue puts on a link, without a machine: its frames, and those that Linux
//! sends for them.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, bail};
use caif_wire::{CONTROL_CHANNEL, Data, LinkParams, Service, ServiceParams, bytes::Writer};
use hostile::{catalogue, expr::Expr, names, stack, step::Step};
use hostile_frame::command::{self, GOOD_CONNECTION, Open};

use crate::capture::Capture;

/// How often something is repeated at most.
const REPEATS: u64 = 3;
const PHYID: u8 = 2;
const PRIORITY: u8 = 0x1f;

/// Returns a capture with a link for each case.
pub fn capture(folder: &Path) -> Result<Capture> {
    let mut capture = Capture::default();
    for case in catalogue::load(folder)? {
        let delivers = |step: &Step| matches!(step, Step::Deliver { .. });
        if !case.stack && !case.steps.iter().any(delivers) {
            continue;
        }
        capture.link(&case.name);
        let mut link = Link {
            capture: &mut capture,
            channels: BTreeMap::new(),
            n: 0,
        };
        if case.stack {
            link.good()?;
        }
        for step in &case.steps {
            link.step(step).with_context(|| case.name.clone())?;
        }
    }
    Ok(capture)
}

/// A channel that was asked for.
struct Asked {
    service: Service,
    params: Vec<u8>,
    offered: Option<u8>,
    id: Option<u8>,
}

struct Link<'a> {
    capture: &'a mut Capture,
    channels: BTreeMap<String, Asked>,
    n: u64,
}

impl Link<'_> {
    fn control(&mut self, up: bool, body: &[u8]) {
        let frame = stack::encode(CONTROL_CHANNEL, body, None);
        self.capture.add(up, frame);
    }

    fn good(&mut self) -> Result<()> {
        let service = ServiceParams::Datagram {
            connection: GOOD_CONNECTION,
        };
        self.ask("the good channel", 0, 0, service)?;
        self.answer("the good channel", 0x20, stack::GOOD, &[])
    }

    /// Linux asks for a channel.
    fn ask(
        &mut self,
        name: &str,
        chtype: u8,
        endpoint: u8,
        service: ServiceParams<'_>,
    ) -> Result<()> {
        let params = LinkParams {
            chtype,
            priority: PRIORITY,
            phyid: PHYID,
            endpoint,
            service,
        };
        let mut bytes = vec![0; 300];
        let mut writer = Writer::new(&mut bytes);
        params.write(&mut writer)?;
        let len = writer.written();
        bytes.truncate(len);
        let asked = Asked {
            service: Service::of(&service).context("a service")?,
            params: bytes,
            offered: None,
            id: None,
        };
        self.channels.insert(name.to_owned(), asked);
        self.ask_again(name)
    }

    fn ask_again(&mut self, name: &str) -> Result<()> {
        self.control(true, &[3, PHYID]);
        let mut body = vec![0];
        body.extend(&self.channel(name)?.params);
        self.control(true, &body);
        Ok(())
    }

    fn channel(&mut self, name: &str) -> Result<&mut Asked> {
        let channel = self.channels.get_mut(name);
        channel.with_context(|| format!("no channel {name}"))
    }

    fn offer(&mut self, name: &str, first: u8, id: u8, appended: &[u8]) -> Result<Vec<u8>> {
        let channel = self.channel(name)?;
        channel.offered = Some(id);
        let asked = stack::Asked {
            service: channel.service,
            params: channel.params.clone(),
            offered: None,
            id: None,
        };
        asked.answer(first, id, appended)
    }

    fn answer(&mut self, name: &str, first: u8, id: u8, appended: &[u8]) -> Result<()> {
        let body = self.offer(name, first, id, appended)?;
        self.control(false, &body);
        let channel = self.channel(name)?;
        channel.id = Some(id);
        Ok(())
    }

    fn free_id(&self) -> Result<u8> {
        let has = |channel: &Asked, id| channel.id.or(channel.offered) == Some(id);
        let is_free = |id: &u8| self.channels.values().all(|channel| !has(channel, *id));
        (1..=255).find(is_free).context("no id is free")
    }

    fn eval(&self, expr: &Expr) -> Result<u64> {
        let value = expr.eval(|name| {
            if let Some(value) = names::fixed(name) {
                return Some(value);
            }
            if let Some(socket) = name.strip_prefix("id.") {
                let channel = self.channels.get(socket)?;
                return channel.id.or(channel.offered).map(u64::from);
            }
            if let Some(socket) = name.strip_prefix("len.") {
                return Some(self.channels.get(socket)?.params.len() as u64 + 2);
            }
            Some(match name {
                "n" => self.n,
                "mru" => 1700,
                "room" => 64,
                "headroom" | "tailroom" => 32,
                _ => return None,
            })
        });
        Ok(value?)
    }

    fn open(&mut self, open: &Open) -> Result<()> {
        let mut name = [0; 16];
        for (to, from) in name.iter_mut().zip(open.name.bytes()) {
            *to = from;
        }
        let params = command::from_hex(&open.params).context("no hexadecimal")?;
        let connection = open.connection;
        let (chtype, service) = match open.service {
            command::Service::At => (2, ServiceParams::Vei),
            command::Service::Datagram | command::Service::Interface => {
                (0, ServiceParams::Datagram { connection })
            }
            command::Service::DatagramLoop => (3, ServiceParams::Datagram { connection }),
            command::Service::Util => (
                0,
                ServiceParams::Util {
                    fifo_kb: 0,
                    fifo_bufs: 0,
                    name,
                    params: &params,
                },
            ),
            command::Service::Rfm => {
                let volume = open.name.as_bytes();
                (0, ServiceParams::Rfm { connection, volume })
            }
            command::Service::Debug => (1, ServiceParams::Debug),
        };
        self.ask(&open.socket, chtype, 0, service)
    }

    fn close(&mut self, name: &str) -> Result<()> {
        let channel = self.channel(name)?;
        channel.offered = None;
        if let Some(id) = channel.id.take() {
            self.control(true, &[1, id]);
        }
        Ok(())
    }

    fn destroyed(&mut self, id: u8) {
        self.control(true, &[1, id]);
        let mut channels = self.channels.values_mut();
        if let Some(channel) = channels.find(|channel| channel.id == Some(id)) {
            channel.id = None;
        }
    }

    /// A payload of so many bytes, from Linux or from the modem.
    fn payload(&mut self, up: bool, name: &str, len: u64) -> Result<()> {
        let bytes: Vec<u8> = (0..len).map(hostile_frame::fill).collect();
        let channel = self.channel(name)?;
        let Some(id) = channel.id.or(channel.offered) else {
            return Ok(());
        };
        let data = match channel.service {
            Service::Rfm => Data::Segment {
                more: false,
                bytes: &bytes,
            },
            _ => Data::Payload(&bytes),
        };
        let (header, payload) = data.parts(channel.service)?;
        let body = [header, payload].concat();
        self.capture.add(up, stack::encode(id, &body, None));
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        let mut step = step.clone();
        if let Some(socket) = step.socket() {
            *socket = socket.replace('#', &self.n.to_string());
        }
        match &step {
            Step::Open { open, answer } => {
                self.open(open)?;
                if *answer {
                    let id = self.free_id()?;
                    self.answer(&open.socket, 0x20, id, &[])?;
                }
            }
            Step::Connect { socket } | Step::Asked { socket } => self.ask_again(socket)?,
            Step::Each {
                from,
                to,
                except,
                steps,
            } => {
                for n in (*from..=self.eval(to)?).filter(|n| !except.contains(n)) {
                    self.n = n;
                    for step in steps {
                        self.step(step)?;
                    }
                }
            }
            Step::Answer { .. } => self.answer_step(&step)?,
            Step::Frames { .. } => self.frames_step(&step)?,
            Step::Data { to, len, times } => {
                let (len, times) = (self.eval(len)?, self.eval(times)?);
                for _ in 0..times.min(REPEATS) {
                    self.payload(false, to, len)?;
                }
            }
            Step::Sends { socket, len, error } => {
                let len = self.eval(len)?;
                if error.is_none() {
                    self.payload(true, socket, len)?;
                }
            }
            Step::State { socket, is } if is.starts_with("connected") => {
                let channel = self.channel(socket)?;
                channel.id = channel.offered.take().or(channel.id);
            }
            Step::Came { on, hex } => {
                let on = self.eval(on)? as u8;
                let body = bytes(hex)?;
                self.capture.add(true, stack::encode(on, &body, None));
            }
            Step::CameMany { on, hex, least, .. } => {
                let on = self.eval(on)? as u8;
                let body = bytes(hex)?;
                for _ in 0..(*least).min(REPEATS) {
                    self.capture.add(true, stack::encode(on, &body, None));
                }
            }
            Step::Destroyed { id, times } => {
                let (id, times) = (self.eval(id)? as u8, self.eval(times)?);
                for _ in 0..times.min(REPEATS) {
                    self.destroyed(id);
                }
            }
            Step::CloseUnder { socket, hex, times } => {
                let body = bytes(hex)?;
                let id = self.channel(socket)?.id.unwrap_or_default();
                for _ in 0..(*times).min(REPEATS) {
                    self.capture.add(false, stack::encode(id, &body, None));
                }
                self.close(socket)?;
                self.capture.add(false, stack::encode(id, &body, None));
            }
            Step::Close { socket } => self.close(socket)?,
            Step::Deliver { hex } => {
                let frame = bytes(hex)?;
                self.capture.add(false, frame.clone());
                self.capture.add(true, frame);
            }
            // Nothing of these is on the link.
            _ => {}
        }
        Ok(())
    }

    fn answer_step(&mut self, step: &Step) -> Result<()> {
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
        let (first, times) = (self.eval(first)? as u8, self.eval(times)?);
        let id = match id {
            Some(id) => self.eval(id)? as u8,
            None => self.free_id()?,
        };
        let mut body = self.offer(to, first, id, &bytes(appended)?)?;
        for (at, bits) in flip {
            let bits = self.eval(bits)? as u8;
            *body.get_mut(*at).context("a place in the answer")? ^= bits;
        }
        if let Some(cut) = cut {
            body.truncate(usize::try_from(self.eval(cut)?)?);
        }
        body.extend(bytes(more)?);
        for _ in 0..times.min(REPEATS) {
            self.control(false, &body);
        }
        Ok(())
    }

    fn frames_step(&mut self, step: &Step) -> Result<()> {
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
        let on = self.eval(on)? as u8;
        let (fill, times) = (self.eval(fill)?, self.eval(times)?);
        let length = length
            .as_ref()
            .map(|length| self.eval(length))
            .transpose()?;
        let cut = cut.as_ref().map(|cut| self.eval(cut)).transpose()?;
        for _ in 0..times.min(REPEATS) {
            for hex in hex {
                let mut body = Vec::new();
                for byte in start {
                    body.push(self.eval(byte)? as u8);
                }
                body.extend(bytes(hex)?);
                body.extend((0..fill).map(hostile_frame::fill));
                let mut frame = stack::encode(on, &body, length.map(|length| length as u16));
                if let Some(cut) = cut {
                    frame.truncate(usize::try_from(cut)?);
                }
                self.capture.add(false, frame);
            }
        }
        Ok(())
    }
}

/// Reads hexadecimal with blanks.
fn bytes(hex: &str) -> Result<Vec<u8>> {
    let compact: String = hex.split_whitespace().collect();
    command::from_hex(&compact).with_context(|| format!("{hex:?} is no hexadecimal"))
}
