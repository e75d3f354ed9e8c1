// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The modem's side of CAIF on a link, while Linux has the stack loaded.
//!
//! One channel, the good one, carries commands to the guest and its answers. All other frames of
//! Linux are kept in their order, and each of them must be one that a step waits for.

use anyhow::{Context, bail, ensure};
use caif_wire::{
    CONTROL_CHANNEL, Data, Fcs, Frame, LinkParams, Message, Service, ServiceParams, frame,
};
use hostile_frame::{self as payload, command::GOOD_CONNECTION};
use std::collections::{BTreeMap, VecDeque};

/// Link id of the good channel.
pub const GOOD: u8 = 200;

/// The good channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Good {
    /// Linux has not asked for it.
    Absent,
    /// Linux asks for it, with these parameters.
    Asked(Vec<u8>),
    /// The channel is set up.
    Up,
}

/// A channel that Linux has asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Service of the channel.
    pub service: Service,
    /// The parameters, which an answer repeats.
    pub params: Vec<u8>,
    /// The link id that the last answer had.
    pub offered: Option<u8>,
    /// The link id of the channel, once it is set up.
    pub id: Option<u8>,
}

/// The modem's side.
#[derive(Debug)]
pub struct Stack {
    /// The good channel.
    pub good: Good,
    /// The guest's answers on the good channel.
    pub answers: VecDeque<payload::Frame>,
    /// Other frames of Linux: channels and bodies.
    pub inbox: VecDeque<(u8, Vec<u8>)>,
    /// The channels that cases ask for, by the names of their sockets.
    pub channels: BTreeMap<String, Asked>,
    /// Number of frames sent on the good channel.
    pub commands: u64,
    /// The fault of a frame of Linux.
    fault: Option<anyhow::Error>,
}

impl Default for Stack {
    fn default() -> Self {
        Self {
            good: Good::Absent,
            answers: VecDeque::new(),
            inbox: VecDeque::new(),
            channels: BTreeMap::new(),
            commands: 0,
            fault: None,
        }
    }
}

impl Stack {
    /// Handles a frame of Linux. If it is malformed, [`Self::check`] reports that.
    pub fn take(&mut self, bytes: &[u8]) {
        if let Err(error) = self.try_take(bytes) {
            self.fault.get_or_insert(error);
        }
    }

    /// Returns what was wrong with a frame of Linux, once.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.fault.take().map_or(Ok(()), Err)
    }

    fn try_take(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let parsed = Frame::parse(bytes, Fcs::Off);
        let parsed = parsed.with_context(|| format!("Linux sent {bytes:02x?}"))?;
        ensure!(
            bytes.len() == parsed.body.len() + frame::OVERHEAD && bytes.ends_with(&[0, 0]),
            "Linux sent more than a frame: {bytes:02x?}"
        );
        match parsed.channel {
            GOOD if self.good == Good::Up => self.take_answer(parsed.body),
            CONTROL_CHANNEL if self.asks_for_good(parsed.body) => {
                // The ENUM before it: frames of another request may be between them.
                let last = self.inbox.iter().rposition(|(channel, body)| {
                    *channel == CONTROL_CHANNEL
                        && matches!(Message::parse(body), Ok(Message::Enum { .. }))
                });
                let last = last.context("no ENUM before the good channel")?;
                self.inbox.remove(last);
                ensure!(
                    self.good == Good::Absent,
                    "Linux asks for the good channel again"
                );
                let params = parsed.body.get(1..).unwrap_or_default();
                self.good = Good::Asked(params.to_vec());
                Ok(())
            }
            channel => {
                self.inbox.push_back((channel, parsed.body.to_vec()));
                Ok(())
            }
        }
    }

    fn asks_for_good(&self, body: &[u8]) -> bool {
        matches!(
            Message::parse(body),
            Ok(Message::Setup(LinkParams {
                service: ServiceParams::Datagram {
                    connection: GOOD_CONNECTION
                },
                ..
            }))
        )
    }

    fn take_answer(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let answer = match Data::parse(Service::Datagram, body) {
            Ok(Data::Payload(bytes)) => payload::Frame::decode(bytes),
            _ => None,
        };
        let answer = answer.with_context(|| format!("on the good channel came {body:02x?}"))?;
        self.answers.push_back(answer);
        Ok(())
    }

    /// Returns a channel that Linux has asked for.
    pub fn channel(&mut self, name: &str) -> anyhow::Result<&mut Asked> {
        self.channels
            .get_mut(name)
            .with_context(|| format!("no channel was asked for by {name:?}"))
    }

    /// Returns the link id that a channel has, or else the one it was offered.
    pub fn id(&self, name: &str) -> Option<u8> {
        let asked = self.channels.get(name)?;
        asked.id.or(asked.offered)
    }

    /// Returns the lowest link id that no channel has.
    pub fn free_id(&self) -> anyhow::Result<u8> {
        let is_free =
            |id: &u8| *id != GOOD && self.channels.keys().all(|name| self.id(name) != Some(*id));
        (1..=255).find(is_free).context("no link id is free")
    }

    /// Removes a channel. Returns whether there was one with that id.
    pub fn destroyed(&mut self, id: u8) -> bool {
        let with_id = self
            .channels
            .values_mut()
            .find(|asked| asked.id == Some(id));
        with_id.map(|asked| asked.id = None).is_some()
    }

    /// Returns the service that an ENUM and a LINK_SETUP ask for, and the parameters.
    pub fn request(first: &(u8, Vec<u8>), second: &(u8, Vec<u8>)) -> anyhow::Result<Asked> {
        let ((CONTROL_CHANNEL, first), (CONTROL_CHANNEL, second)) = (first, second) else {
            bail!("want a request for a channel, not {first:02x?} and {second:02x?}");
        };
        match (Message::parse(first), Message::parse(second)) {
            (Ok(Message::Enum { phyid }), Ok(Message::Setup(params))) => {
                ensure!(
                    phyid == params.phyid && (1..8).contains(&phyid),
                    "phyid {phyid} and then {}",
                    params.phyid
                );
                Ok(Asked {
                    service: Service::of(&params.service).context("an unknown service")?,
                    params: second.get(1..).unwrap_or_default().to_vec(),
                    offered: None,
                    id: None,
                })
            }
            _ => bail!("want a request for a channel, not {first:02x?} and {second:02x?}"),
        }
    }
}

impl Asked {
    /// Returns the body of an answer: a success with a link id, if there is one, and what a UTIL
    /// channel appends.
    pub fn answer(&self, first: u8, id: u8, appended: &[u8]) -> anyhow::Result<Vec<u8>> {
        let mut body = vec![first];
        body.extend(&self.params);
        if first & 0x10 == 0 {
            body.push(id);
            if self.service == Service::Util {
                body.push(u8::try_from(appended.len()).context("appended bytes")?);
                body.extend(appended);
            }
        }
        Ok(body)
    }
}

/// Encodes a frame, possibly with a wrong length.
pub fn encode(channel: u8, body: &[u8], length: Option<u16>) -> Vec<u8> {
    let right = u16::try_from(body.len() + 3).unwrap_or(u16::MAX);
    let mut bytes = length.unwrap_or(right).to_le_bytes().to_vec();
    bytes.push(channel);
    bytes.extend(body);
    bytes.extend([0, 0]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(body: &[u8]) -> Vec<u8> {
        encode(0, body, None)
    }

    const ENUM: [u8; 2] = [3, 2];
    const AT: [u8; 4] = [0, 0x21, 0xca, 0];

    fn good() -> Vec<u8> {
        let mut body = vec![0, 4, 0xe2, 0];
        body.extend(GOOD_CONNECTION.to_le_bytes());
        control(&body)
    }

    #[test]
    fn frames_of_linux_must_be_well_formed() {
        let mut stack = Stack::default();
        for bad in [
            &[][..],
            &[3, 0, 0, 0],
            &[3, 0, 0, 0, 1],
            &[3, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 0],
        ] {
            stack.take(bad);
            assert!(stack.check().is_err(), "{bad:?}");
        }
        stack.take(&control(&ENUM));
        stack.check().unwrap();
        assert_eq!(stack.inbox, [(0, ENUM.to_vec())]);
    }

    #[test]
    fn the_good_channel_is_kept_apart() {
        let mut stack = Stack::default();
        assert!(stack.try_take(&good()).is_err(), "without an ENUM");
        let mut stack = Stack::default();
        stack.take(&control(&ENUM));
        stack.try_take(&good()).unwrap();
        assert!(stack.inbox.is_empty());
        assert!(matches!(&stack.good, Good::Asked(params) if params.len() == 7));
        // Another request at the same time.
        let mut both = Stack::default();
        for frame in [control(&ENUM), control(&ENUM), control(&AT), good()] {
            both.try_take(&frame).unwrap();
        }
        assert_eq!(both.inbox, [(0, ENUM.to_vec()), (0, AT.to_vec())]);
        stack.good = Good::Up;
        let answer = payload::Frame {
            kind: payload::Kind::Answer,
            seq: 5,
            payload: vec![1],
        };
        let mut body = vec![8, 0, 0, 0];
        body.extend(answer.encode(0));
        stack.try_take(&encode(GOOD, &body, None)).unwrap();
        assert_eq!(stack.answers.pop_front(), Some(answer));
        assert!(
            stack.try_take(&encode(GOOD, &[0x81], None)).is_err(),
            "flow off"
        );
        assert!(
            stack
                .try_take(&encode(GOOD, &[8, 0, 0, 0, 1], None))
                .is_err()
        );
    }

    #[test]
    fn a_request_is_an_enum_and_a_setup_of_one_link() {
        let frame = |body: &[u8]| (0, body.to_vec());
        let asked = Stack::request(&frame(&ENUM), &frame(&AT)).unwrap();
        assert_eq!(asked.service, Service::Vei);
        assert_eq!(
            asked.answer(0x20, 9, &[]).unwrap(),
            [0x20, 0x21, 0xca, 0, 9]
        );
        assert_eq!(asked.answer(0x30, 9, &[]).unwrap(), [0x30, 0x21, 0xca, 0]);
        assert!(Stack::request(&frame(&[3, 1]), &frame(&AT)).is_err());
        assert!(Stack::request(&frame(&AT), &frame(&ENUM)).is_err());
        assert!(Stack::request(&(1, ENUM.to_vec()), &frame(&AT)).is_err());
    }

    #[test]
    fn link_ids_are_those_of_channels() {
        let mut stack = Stack::default();
        let frame = |body: &[u8]| (0, body.to_vec());
        let asked = Stack::request(&frame(&ENUM), &frame(&AT)).unwrap();
        stack.channels.insert("a".into(), asked);
        assert_eq!(stack.free_id().unwrap(), 1);
        stack.channel("a").unwrap().offered = Some(1);
        assert_eq!((stack.free_id().unwrap(), stack.id("a")), (2, Some(1)));
        assert!(!stack.destroyed(1));
        stack.channel("a").unwrap().id = Some(1);
        assert!(stack.destroyed(1) && !stack.destroyed(1));
    }
}
