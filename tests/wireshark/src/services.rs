// SPDX-License-Identifier: GPL-2.0

//! Linux and the modem talk on a channel of each service: the modem's engine is the real one, and the
//! segments are those that the kernel makes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use caif_stack::{Config, Engine};
use caif_wire::{
    Data, Fcs, LinkParams, Message, Service, ServiceParams,
    frame::{self, OVERHEAD},
};
use kernel_pure::caif::rfm;

use crate::{capture::Capture, ip};

const PHYID: u8 = 1;
const CONNECTION: u32 = 1;
/// A connection that the modem refuses, and one that it does not answer for.
const REFUSED: u32 = 0xdead;
const SILENT: u32 = 0x51;

/// Returns the capture.
pub fn capture() -> Result<Capture> {
    let mut talk = Talk::new();
    talk.at()?;
    talk.ip()?;
    talk.datagram_loop()?;
    talk.util()?;
    talk.rfm()?;
    talk.others()?;
    talk.no_channel()?;
    Ok(talk.capture)
}

struct Talk {
    capture: Capture,
    engine: Engine,
    start: Instant,
}

impl Talk {
    fn new() -> Self {
        let mut capture = Capture::default();
        capture.link("services");
        Self {
            capture,
            engine: Engine::new(Config {
                silent: vec![SILENT..=SILENT],
                util_appended: b"appended".to_vec(),
                seed: 1,
                ..Config::default()
            }),
            start: Instant::now(),
        }
    }

    /// Linux sends a frame, and the modem what it answers.
    fn send(&mut self, channel: u8, body: &[&[u8]]) -> Result<Vec<Vec<u8>>> {
        let len = body.iter().map(|piece| piece.len()).sum::<usize>();
        let mut bytes = vec![0; len + OVERHEAD];
        frame::build(channel, body, Fcs::Off, &mut bytes)?;
        self.capture.add(true, bytes.clone());
        self.engine.input(&bytes, self.start + self.capture.now());
        Ok(self.receive())
    }

    fn receive(&mut self) -> Vec<Vec<u8>> {
        self.engine.poll(self.start + self.capture.now());
        let frames: Vec<_> = std::iter::from_fn(|| self.engine.output()).collect();
        for frame in &frames {
            self.capture.add(false, frame.clone());
        }
        // So that a person can tell one exchange from the next.
        self.capture.wait(Duration::from_millis(1));
        frames
    }

    fn control(&mut self, message: &Message<'_>) -> Result<Vec<Vec<u8>>> {
        let mut body = [0; 600];
        let len = message.build(&mut body)?;
        self.send(0, &[&body[..len]])
    }

    /// Asks for a channel. Returns its link id, if the modem gives one.
    fn ask(
        &mut self,
        chtype: u8,
        priority: u8,
        endpoint: u8,
        service: ServiceParams<'_>,
    ) -> Result<Option<u8>> {
        self.control(&Message::Enum { phyid: PHYID })?;
        let params = LinkParams {
            chtype,
            priority,
            phyid: PHYID,
            endpoint,
            service,
        };
        let answers = self.control(&Message::Setup(params))?;
        let Some(answer) = answers.first() else {
            return Ok(None);
        };
        let answer = caif_wire::Frame::parse(answer, Fcs::Off)?;
        match Message::parse(answer.body)? {
            Message::SetupDone { linkid, .. } => Ok(Some(linkid)),
            _ => Ok(None),
        }
    }

    fn data(&mut self, channel: u8, service: Service, data: Data<'_>) -> Result<Vec<Vec<u8>>> {
        let (header, payload) = data.parts(service)?;
        self.send(channel, &[header, payload])
    }

    fn destroy(&mut self, linkid: u8) -> Result<()> {
        self.control(&Message::Destroy { linkid })?;
        Ok(())
    }

    fn at(&mut self) -> Result<()> {
        let id = self.ask(2, 0x19, 0, ServiceParams::Vei)?.context("AT")?;
        for text in ["AT+CSQ\r", "ATE0\r", "AT+CREG?\r", "AT", "I\r"] {
            self.data(id, Service::Vei, Data::Payload(text.as_bytes()))?;
        }
        self.data(id, Service::Vei, Data::Payload(b"AT+X=\"\\\xff\x00\"\r"))?;
        self.data(id, Service::Vei, Data::FlowOff)?;
        self.data(id, Service::Vei, Data::FlowOn)?;
        self.data(id, Service::Vei, Data::SetPin(&[1]))?;
        self.destroy(id)
    }

    fn ip(&mut self) -> Result<()> {
        let connection = CONNECTION;
        let service = ServiceParams::Datagram { connection };
        let id = self.ask(0, 0x1c, 0, service)?.context("IP")?;
        let ping = ip::echo_request(&[0x55; 24]);
        let answers = self.data(id, Service::Datagram, Data::Payload(&ping))?;
        ensure!(answers.len() == 1, "{} answers to a ping", answers.len());
        let datagram = ip::datagram(7, b"a datagram");
        self.data(id, Service::Datagram, Data::Payload(&datagram))?;
        self.data(id, Service::Datagram, Data::Payload(&ip::v6()))?;
        self.data(id, Service::Datagram, Data::Payload(b"not a packet"))?;
        self.data(id, Service::Datagram, Data::FlowOff)?;
        self.data(id, Service::Datagram, Data::Payload(&ping))?;
        self.data(id, Service::Datagram, Data::FlowOn)?;
        // The modem's flow control.
        let at = self.ask(2, 0x1f, 0, ServiceParams::Vei)?.context("AT")?;
        self.data(at, Service::Vei, Data::Payload(b"ATE0\r"))?;
        self.data(at, Service::Vei, Data::Payload(b"AT*FLOW=20\r"))?;
        self.capture.wait(Duration::from_millis(25));
        self.receive();
        self.destroy(at)?;
        self.destroy(id)
    }

    fn datagram_loop(&mut self) -> Result<()> {
        let service = ServiceParams::Datagram { connection: 2 };
        let id = self.ask(3, 0x1f, 0, service)?.context("a loop")?;
        self.data(id, Service::Datagram, Data::Payload(&[0xc1; 30]))?;
        let ping = ip::echo_request(&[0xaa; 8]);
        self.data(id, Service::Datagram, Data::Payload(&ping))?;
        self.destroy(id)
    }

    fn util(&mut self) -> Result<()> {
        let util = |name: &[u8; 16], params| ServiceParams::Util {
            fifo_kb: 8,
            fifo_bufs: 4,
            name: *name,
            params,
        };
        let none = util(b"loop\0\0\0\0\0\0\0\0\0\0\0\0", &[]);
        let id = self.ask(0, 0x1f, 0, none)?.context("UTIL")?;
        self.data(id, Service::Util, Data::Payload(&[1, 2, 3]))?;
        self.data(id, Service::Util, Data::FlowOff)?;
        self.data(id, Service::Util, Data::FlowOn)?;
        self.data(id, Service::Util, Data::Payload(b"shutdown"))?;
        self.destroy(id)?;
        let some = util(b"parameters\0\0\0\0\0\0", &[9; 40]);
        let id = self.ask(0, 0x1f, 0, some)?.context("UTIL")?;
        self.destroy(id)
    }

    fn rfm(&mut self) -> Result<()> {
        let service = ServiceParams::Rfm {
            connection: CONNECTION,
            volume: b"volume",
        };
        let id = self.ask(0, 0x1f, 0, service)?.context("RFM")?;
        let mut packet = vec![1, 2, 3, 4];
        packet.extend(300u16.to_le_bytes());
        packet.extend((0..300).map(|n| n as u8));
        for piece in rfm::split(packet.len(), 128).map_err(|error| anyhow::anyhow!("{error:?}"))? {
            let mut bytes = Vec::new();
            if piece.header {
                bytes.extend(&packet[..rfm::HEADER]);
            }
            bytes.extend(&packet[piece.range.clone()]);
            let segment = Data::Segment {
                more: piece.more,
                bytes: &bytes,
            };
            self.data(id, Service::Rfm, segment)?;
        }
        let one = Data::Segment {
            more: false,
            bytes: &[1, 2, 3, 4, 2, 0, 8, 9],
        };
        self.data(id, Service::Rfm, one)?;
        self.destroy(id)
    }

    fn others(&mut self) -> Result<()> {
        let service = ServiceParams::Video { connection: 3 };
        let id = self.ask(0, 0x1f, 0, service)?.context("VIDEO")?;
        self.data(id, Service::Video, Data::Payload(&[0x47; 20]))?;
        self.destroy(id)?;
        let id = self.ask(1, 0x1f, 2, ServiceParams::Debug)?;
        let id = id.context("DEBUG")?;
        self.data(id, Service::Debug, Data::Payload(b"trace on\n"))?;
        self.data(id, Service::Debug, Data::Payload(&[0, 0xff, 7]))?;
        self.destroy(id)
    }

    /// Requests that come to nothing, and frames of a channel that is no more.
    fn no_channel(&mut self) -> Result<()> {
        for connection in [REFUSED, SILENT] {
            let service = ServiceParams::Datagram { connection };
            let id = self.ask(0, 0x1f, 0, service)?;
            ensure!(id.is_none(), "a channel for connection {connection:#x}");
        }
        self.data(1, Service::Vei, Data::Payload(b"AT\r"))?;
        self.data(
            99,
            Service::Datagram,
            Data::Payload(&ip::echo_request(&[1; 4])),
        )?;
        self.data(98, Service::Util, Data::Payload(&[0xff; 5]))?;
        Ok(())
    }
}
