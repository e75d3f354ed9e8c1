// SPDX-License-Identifier: GPL-2.0

//! What a dissector must say of each frame, by the codec that the kernel and the modem are built of.

use std::{collections::HashMap, fmt::Write};

use caif_wire::{
    CONTROL_CHANNEL, ControlError, Data, Fcs, Frame, FrameError, LinkParams, Message, Service,
    ServiceParams, bytes::Writer, frame,
};
use kernel_pure::caif::rfm::{Reassembly, SegmentError};

use crate::capture::Capture;

/// As long as parameters can be: those of a service that there is not are all that follows.
const MAX_PARAMS: usize = 65_535;

/// What is known of a link.
#[derive(Default)]
struct Link {
    channels: HashMap<u8, Channel>,
    /// Requests that nobody answered yet.
    pending: Vec<Request>,
}

/// A request: the number of its frame, who sent it, its command, and what an answer repeats.
struct Request {
    number: usize,
    up: bool,
    command: u8,
    repeated: Vec<u8>,
}

/// What is to be said of a frame.
struct Said {
    /// What makes a receiver drop it.
    mark: &'static str,
    /// What a receiver ignores in a message, or what is odd about it.
    note: &'static str,
    /// The service of the frame's channel.
    service: &'static str,
    /// The request that it answers.
    request: Option<usize>,
}

const NOTHING: Said = Said {
    mark: "-",
    note: "-",
    service: "-",
    request: None,
};

/// A channel that a success of the modem told of.
struct Channel {
    params: Vec<u8>,
    service: Service,
    is_loop: bool,
    /// A frame came on it.
    used: bool,
    /// The one that had the id before, unless that was an equal one.
    before: Option<Box<Channel>>,
    /// By direction.
    rfm: [Reassembly; 2],
}

/// Returns a line for each frame, with a dash for what there is not: its number, what it must be marked as,
/// what else is to be noted, the service of its channel, the request that it answers, the check sequence.
pub fn lines(capture: &Capture) -> String {
    let mut links: HashMap<u32, Link> = HashMap::new();
    let mut text = String::new();
    for (at, frame) in capture.frames.iter().enumerate() {
        let number = at + 1;
        let link = links.entry(frame.link).or_default();
        let said = judge(link, number, frame.up, &frame.bytes);
        let request = said.request.map_or("-".into(), |number| number.to_string());
        let (mark, note, service) = (said.mark, said.note, said.service);
        let check = check_sequence(&frame.bytes);
        let _ = writeln!(
            text,
            "{number}\t{mark}\t{note}\t{service}\t{request}\t{check}"
        );
    }
    text
}

fn judge(link: &mut Link, number: usize, up: bool, bytes: &[u8]) -> Said {
    let mark = |mark| Said { mark, ..NOTHING };
    let frame = match Frame::parse(bytes, Fcs::Off) {
        Ok(frame) => frame,
        Err(FrameError::NoLength(_)) => return mark("len.missing"),
        Err(FrameError::TooShort { .. }) => return mark("len.short"),
        Err(FrameError::BeyondEnd { .. }) => return mark("len.beyond"),
        Err(FrameError::BadFcs { .. }) => return mark("no check was asked for"),
    };
    if frame.channel == CONTROL_CHANNEL {
        return match Message::parse(frame.body) {
            Ok(message) => control(link, number, up, &message),
            Err(ControlError::BadVolume) => mark("ctrl.volume.bad"),
            Err(ControlError::UnknownService { .. }) => mark("ctrl.service.bad"),
            Err(_) => mark("ctrl.cut"),
        };
    }
    match link.channels.get_mut(&frame.channel) {
        Some(channel) => {
            channel.used = true;
            Said {
                mark: channel.data(up, frame.body),
                service: channel.name(),
                ..NOTHING
            }
        }
        None => Said {
            service: "unknown",
            ..NOTHING
        },
    }
}

fn control(link: &mut Link, number: usize, up: bool, message: &Message<'_>) -> Said {
    let note = |note| Said { note, ..NOTHING };
    let (is_request, repeated) = match message {
        Message::Setup(params) => (true, bytes_of(params)),
        Message::SetupDone { params, .. } | Message::SetupRefused(params) => {
            (false, bytes_of(params))
        }
        Message::Destroy { linkid } => (true, vec![*linkid]),
        Message::Destroyed { linkid } => (false, vec![*linkid]),
        Message::Enum { phyid } => (true, vec![*phyid]),
        Message::Enumerated { phyid } => (false, vec![*phyid]),
        Message::LinkErr => return NOTHING,
        Message::Other { .. } => return note("ctrl.cmd.unknown"),
    };
    let command = message.command();
    if is_request {
        link.pending.push(Request {
            number,
            up,
            command,
            repeated,
        });
        return match message {
            _ if !up => note("ctrl.by_modem"),
            Message::Destroy { linkid } => {
                close(&mut link.channels, *linkid);
                NOTHING
            }
            _ => NOTHING,
        };
    }
    let is_answered = |request: &Request| {
        request.command == command && request.repeated == repeated && request.up != up
    };
    let place = link.pending.iter().position(is_answered);
    let request = place.map(|place| link.pending.remove(place).number);
    let note = match message {
        _ if up => "ctrl.by_linux",
        Message::SetupDone { linkid: 0, .. } => "ctrl.linkid.zero",
        Message::SetupDone { params, linkid, .. } => open(&mut link.channels, params, *linkid),
        Message::SetupRefused(_) => "ctrl.refused",
        _ => "-",
    };
    Said {
        note,
        request,
        ..NOTHING
    }
}

/// Returns the parameters as they were sent.
fn bytes_of(params: &LinkParams<'_>) -> Vec<u8> {
    let mut bytes = vec![0; MAX_PARAMS];
    let mut writer = Writer::new(&mut bytes);
    // What was read is not longer than the largest frame.
    if params.write(&mut writer).is_err() {
        return Vec::new();
    }
    let len = writer.written();
    bytes.truncate(len);
    bytes
}

fn open(channels: &mut HashMap<u8, Channel>, params: &LinkParams<'_>, linkid: u8) -> &'static str {
    let bytes = bytes_of(params);
    // A success for another one is no message.
    let Some(service) = Service::of(&params.service) else {
        return "a success for no service";
    };
    let old = channels.remove(&linkid);
    let note = old.as_ref().map_or("-", |_| "ctrl.linkid.used");
    let before = old.and_then(|old| {
        if old.params == bytes {
            old.before
        } else {
            Some(Box::new(old))
        }
    });
    channels.insert(
        linkid,
        Channel {
            params: bytes,
            service,
            is_loop: matches!(params.service, ServiceParams::Datagram { .. }) && params.chtype == 3,
            used: false,
            before,
            rfm: Default::default(),
        },
    );
    note
}

fn close(channels: &mut HashMap<u8, Channel>, linkid: u8) {
    if let Some(Channel {
        used: false,
        before: Some(before),
        ..
    }) = channels.remove(&linkid)
    {
        channels.insert(linkid, *before);
    }
}

impl Channel {
    fn name(&self) -> &'static str {
        match self.service {
            Service::Vei => "AT",
            Service::Video => "VIDEO",
            Service::Debug => "DEBUG",
            Service::Datagram if self.is_loop => "DATAGRAM_LOOP",
            Service::Datagram => "DATAGRAM",
            Service::Rfm => "RFM",
            Service::Util => "UTIL",
        }
    }

    fn data(&mut self, up: bool, body: &[u8]) -> &'static str {
        match Data::parse(self.service, body) {
            Err(caif_wire::DataError::UnknownCommand { .. }) => "hdr.unknown",
            Err(_) => "hdr.cut",
            Ok(Data::Segment { more, bytes }) => {
                let rfm = &mut self.rfm[usize::from(up)];
                match rfm.segment(more, bytes, bytes.len()) {
                    Ok(_) => "-",
                    Err(SegmentError::TooShort) => "rfm.short",
                    Err(SegmentError::OtherHeader) => "rfm.other",
                    Err(SegmentError::TooLong) => "rfm.long",
                    Err(SegmentError::Incomplete) => "rfm.incomplete",
                }
            }
            Ok(_) => "-",
        }
    }
}

fn check_sequence(bytes: &[u8]) -> &'static str {
    let Ok(Frame { body, .. }) = Frame::parse(bytes, Fcs::Off) else {
        return "-";
    };
    let end = body.len() + frame::OVERHEAD;
    match bytes.get(end.saturating_sub(2)..end) {
        Some([0, 0]) => "not used",
        _ if Frame::parse(bytes, Fcs::On).is_ok() => "right",
        _ => "wrong",
    }
}
