// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The host's side of the link, with a simulated clock.

#![allow(dead_code, reason = "no test file uses all of it")]

pub mod ip_host;

use std::time::{Duration, Instant};

use caif_stack::{Config, Engine};
use caif_wire::{Data, Fcs, Frame, LinkParams, Message, Service, ServiceParams};

/// An engine and the simulated time.
pub struct Link {
    pub engine: Engine,
    pub now: Instant,
}

/// A frame from the modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub channel: u8,
    pub body: Vec<u8>,
}

impl Link {
    pub fn new(config: Config) -> Self {
        Self {
            engine: Engine::new(config),
            now: Instant::now(),
        }
    }

    pub fn advance(&mut self, time: Duration) -> Option<Instant> {
        self.now += time;
        self.engine.poll(self.now)
    }

    pub fn send(&mut self, channel: u8, body: &[u8]) {
        let mut out = vec![0; body.len() + 5];
        Frame { channel, body }.build(Fcs::Off, &mut out).unwrap();
        self.engine.input(&out, self.now);
    }

    pub fn receive(&mut self) -> Option<Received> {
        let wire = self.engine.output()?;
        let frame = Frame::parse(&wire, Fcs::Off).unwrap();
        assert_eq!(frame.body.len() + 5, wire.len(), "bytes behind the frame");
        Some(Received {
            channel: frame.channel,
            body: frame.body.to_vec(),
        })
    }

    pub fn receive_all(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.receive()).collect()
    }

    /// Sends a control message. Returns the body of its one answer.
    pub fn control(&mut self, body: &[u8]) -> Vec<u8> {
        self.send(0, body);
        let answer = self.receive().expect("an answer");
        assert_eq!(answer.channel, 0);
        assert_eq!(self.receive(), None);
        answer.body
    }

    /// Sets a channel up. Returns `None` if it is refused.
    pub fn set_up(&mut self, chtype: u8, service: ServiceParams<'_>) -> Option<u8> {
        let params = LinkParams {
            chtype,
            priority: 0x1c,
            phyid: 2,
            endpoint: 0,
            service,
        };
        let mut body = [0; 300];
        let len = Message::Setup(params).build(&mut body).unwrap();
        let answer = self.control(&body[..len]);
        match Message::parse(&answer).unwrap() {
            Message::SetupDone {
                params: echoed,
                linkid,
                ..
            } => {
                assert_eq!(echoed, params);
                assert_ne!(linkid, 0);
                Some(linkid)
            }
            Message::SetupRefused(echoed) => {
                assert_eq!(echoed, params);
                None
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    pub fn send_data(&mut self, linkid: u8, service: Service, data: Data<'_>) {
        let mut body = vec![0; 4000];
        let len = data.build(service, &mut body).unwrap();
        self.send(linkid, &body[..len]);
    }

    /// Sends a payload. Returns the payloads that come back on that channel.
    pub fn exchange(&mut self, linkid: u8, service: Service, payload: &[u8]) -> Vec<u8> {
        self.send_data(linkid, service, Data::Payload(payload));
        let frames = self.receive_all();
        let mut bytes = Vec::new();
        for frame in frames {
            assert_eq!(frame.channel, linkid);
            match Data::parse(service, &frame.body).unwrap() {
                Data::Payload(payload) => bytes.extend_from_slice(payload),
                other => panic!("unexpected {other:?}"),
            }
        }
        bytes
    }
}

pub const VEI: ServiceParams<'static> = ServiceParams::Vei;

pub fn ip(connection: u32) -> ServiceParams<'static> {
    ServiceParams::Datagram { connection }
}

pub const UTIL: ServiceParams<'static> = ServiceParams::Util {
    fifo_kb: 4,
    fifo_bufs: 8,
    name: *b"test\0\0\0\0\0\0\0\0\0\0\0\0",
    params: b"xyz",
};
