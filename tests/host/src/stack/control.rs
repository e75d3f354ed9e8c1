// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The control channel of a link against a list of requests, with all events of modem and users in
//! any order.

use std::collections::BTreeMap;

use crate::caif::control::{
    Control, Event, Expired, Failure, Ignored, LinkId, Pending, Refusal, RequestError, RequestId,
};
use crate::caif_wire::{LinkParams, ServiceParams};
use crate::reference::input::Input;

/// The number of the link.
const PHYID: u8 = 2;

/// Number of the reasons why a message is ignored.
const REASONS: usize = Ignored::Unknown as usize + 1;

/// Counts of the outcomes of requests and of the effects of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Channels set up.
    pub connected: u64,
    /// Requests refused by the modem.
    pub refused: u64,
    /// Requests refused for their link id.
    pub bad_id: u64,
    /// Requests without an answer.
    pub timed_out: u64,
    /// Requests that ended with the link.
    pub link_down: u64,
    /// Requests that were cancelled.
    pub cancelled: u64,
    /// Requests that were withdrawn.
    pub withdrawn: u64,
    /// Channels that no client wanted.
    pub destroyed: u64,
    /// Channels that were closed.
    pub closed: u64,
    /// Messages ignored, by kind.
    pub ignored: [u64; REASONS],
}

/// A request of the model.
#[derive(Clone, Debug)]
struct Asked {
    id: RequestId,
    params: Vec<u8>,
    deadline: u64,
    wanted: bool,
}

/// The model: lists, and the bytes of the protocol without the codec.
struct Model {
    room: usize,
    up: bool,
    /// The oldest first.
    asked: Vec<Asked>,
    /// Requests that ended with the link and were not reported yet.
    lost: Vec<RequestId>,
    /// By link id.
    owners: BTreeMap<u8, LinkId>,
    /// LINK_DESTROY messages that are allowed at once, and the time of that.
    budget: u64,
    since: u64,
}

/// The expected effect of a message. The subject assigns the link ids of new channels.
#[derive(Debug, PartialEq, Eq)]
enum Want<'a> {
    Connected(RequestId, u8, &'a [u8]),
    Refused(RequestId, Refusal),
    Destroy(u8),
    Ignored(Ignored),
}

/// Returns the length of the parameters at the start of `bytes`; `None` if they are truncated or
/// wrong. Those of an unknown service reach to the end.
fn params_len(bytes: &[u8]) -> Option<usize> {
    let len = match *bytes.first()? & 15 {
        1 | 3 => 3,
        2 => 4,
        4 => 7,
        5 => {
            let nul = bytes.iter().skip(7).take(16).position(|byte| *byte == 0)?;
            7 + nul + 1
        }
        6 => 24 + usize::from(*bytes.get(23)?),
        _ => bytes.len().max(3),
    };
    (bytes.len() >= len).then_some(len)
}

impl Model {
    /// Removes a request that ended with the link. Returns whether it did.
    fn forget_lost(&mut self, id: RequestId) -> bool {
        let lost = self.lost.iter().position(|lost| *lost == id);
        lost.map(|lost| self.lost.remove(lost)).is_some()
    }

    fn on_frame<'a>(&mut self, body: &'a [u8], now: u64) -> Want<'a> {
        if !self.up {
            return Want::Ignored(Ignored::Down);
        }
        let Some((command, rest)) = body.split_first() else {
            return Want::Ignored(Ignored::Malformed);
        };
        let want = match command {
            0x00 => params_len(rest).map(|_| Want::Ignored(Ignored::Request)),
            0x01 | 0x03 => rest.first().map(|_| Want::Ignored(Ignored::Request)),
            0x02 => Some(Want::Ignored(Ignored::LinkErr)),
            0x21 | 0x23 => rest.first().map(|_| Want::Ignored(Ignored::Confirmed)),
            0x20 => self.success(rest, now),
            0x30 => params_len(rest).map(|len| self.error(&rest[..len])),
            _ => Some(Want::Ignored(Ignored::Unknown)),
        };
        want.unwrap_or(Want::Ignored(Ignored::Malformed))
    }

    fn success<'a>(&mut self, rest: &'a [u8], now: u64) -> Option<Want<'a>> {
        let (params, rest) = rest.split_at(params_len(rest)?);
        let service = params[0] & 15;
        let linkid = *rest.first().filter(|_| (1..=6).contains(&service))?;
        let appended = match service {
            6 => rest.get(2..2 + usize::from(*rest.get(1)?))?,
            _ => &[],
        };
        let equal = |asked: &Asked| asked.params == params;
        let wanted = |asked: &Asked| equal(asked) && asked.wanted;
        let index = self.asked.iter().position(wanted);
        let Some(index) = index.or_else(|| self.asked.iter().position(equal)) else {
            return Some(self.nobody(linkid, now));
        };
        let asked = self.asked.remove(index);
        Some(match (asked.wanted, linkid, self.owners.get(&linkid)) {
            (false, 0, _) => Want::Ignored(Ignored::Cancelled),
            (false, ..) => Want::Destroy(linkid),
            (true, 0, _) => Want::Refused(asked.id, Refusal::LinkIdZero),
            (true, _, None) => Want::Connected(asked.id, linkid, appended),
            (true, _, Some(_)) => {
                let id = linkid.try_into().expect("not 0");
                Want::Refused(asked.id, Refusal::LinkIdInUse(id))
            }
        })
    }

    fn nobody(&mut self, linkid: u8, now: u64) -> Want<'static> {
        if linkid == 0 {
            return Want::Ignored(Ignored::NoLinkId);
        }
        if self.owners.contains_key(&linkid) {
            return Want::Ignored(Ignored::Repeated);
        }
        let gained = now.saturating_sub(self.since) / 4;
        if gained > 0 {
            self.budget = (self.budget + gained.min(255)).min(255);
            self.since = now;
        }
        if self.budget == 0 {
            return Want::Ignored(Ignored::TooMany);
        }
        self.budget -= 1;
        Want::Destroy(linkid)
    }

    fn error(&mut self, params: &[u8]) -> Want<'static> {
        let equal = |asked: &Asked| asked.params == params;
        let Some(index) = self.asked.iter().position(equal) else {
            return Want::Ignored(Ignored::NotAsked);
        };
        let asked = self.asked.remove(index);
        if asked.wanted {
            Want::Refused(asked.id, Refusal::ByModem)
        } else {
            Want::Ignored(Ignored::Cancelled)
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        if self.lost.is_empty() {
            self.asked.iter().map(|asked| asked.deadline).min()
        } else {
            Some(0)
        }
    }

    /// Returns all requests that expire at `now`.
    fn expire(&mut self, now: u64) -> Vec<Expired> {
        let mut expired: Vec<_> = self
            .lost
            .drain(..)
            .map(|request| Expired {
                request,
                why: Failure::LinkDown,
            })
            .collect();
        self.asked.retain(|asked| {
            if asked.deadline <= now && asked.wanted {
                expired.push(Expired {
                    request: asked.id,
                    why: Failure::TimedOut,
                });
            }
            asked.deadline > now
        });
        expired
    }
}

/// Returns the parameters of a number, and whether they are valid. There are few of them, so that
/// equal ones occur.
fn asked_for(number: u8, extra: &[u8; 255]) -> (LinkParams<'_>, bool) {
    let service = match number & 15 {
        0 | 1 => ServiceParams::Vei,
        2 => ServiceParams::Video { connection: 1 },
        3 => ServiceParams::Debug,
        4 | 5 => ServiceParams::Datagram {
            connection: (number & 1).into(),
        },
        6 => ServiceParams::Rfm {
            connection: 1,
            volume: b"C:",
        },
        7 => ServiceParams::Rfm {
            connection: 1,
            volume: &[b'a'; 15],
        },
        8..=11 => ServiceParams::Util {
            fifo_kb: 1,
            fifo_bufs: 0x1234,
            name: *b"SPEECH\0\0\0\0\0\0\0\0\0\0",
            params: match number & 3 {
                0 => &[],
                1 => &extra[..1],
                2 => &extra[..40],
                _ => extra,
            },
        },
        12 => ServiceParams::Unknown {
            service: 7,
            rest: &[],
        },
        13 => ServiceParams::Rfm {
            connection: 1,
            volume: b"a\0b",
        },
        _ => ServiceParams::Debug,
    };
    let small = number >> 4 & 2;
    let (phyid, endpoint, chtype) = match number & 15 {
        14 => (PHYID + 1, 0, small),
        15 if number & 0x10 != 0 => (PHYID, 4, small),
        15 => (PHYID, 0, 16 | small),
        _ => (PHYID, number >> 4 & 1, small),
    };
    let params = LinkParams {
        chtype,
        priority: 0x1c,
        phyid,
        endpoint,
        service,
    };
    (params, number & 15 < 12)
}

/// Encodes parameters without the codec.
fn encode(params: &LinkParams<'_>) -> Vec<u8> {
    let mut bytes = vec![
        params.chtype << 4,
        params.priority << 3 | params.phyid,
        params.endpoint,
    ];
    bytes[0] |= match params.service {
        ServiceParams::Vei => 1,
        ServiceParams::Video { connection } => {
            bytes.push(connection);
            2
        }
        ServiceParams::Debug => 3,
        ServiceParams::Datagram { connection } => {
            bytes.extend(connection.to_le_bytes());
            4
        }
        ServiceParams::Rfm { connection, volume } => {
            bytes.extend(connection.to_le_bytes());
            bytes.extend(volume);
            bytes.push(0);
            5
        }
        ServiceParams::Util {
            fifo_kb,
            fifo_bufs,
            name,
            params,
        } => {
            bytes.extend(fifo_kb.to_le_bytes());
            bytes.extend(fifo_bufs.to_le_bytes());
            bytes.extend(name);
            bytes.push(params.len() as u8);
            bytes.extend(params);
            6
        }
        ServiceParams::Unknown { service, rest } => {
            bytes.extend(rest);
            service
        }
    };
    bytes
}

struct Bench {
    control: Control<Vec<Pending>>,
    model: Model,
    now: u64,
    /// All requests and channels so far, so that old ones are used again.
    requests: Vec<RequestId>,
    channels: Vec<LinkId>,
    seen: RequestCounts,
}

impl Bench {
    fn request(&mut self, number: u8, lasts: u64) {
        let extra = [number; 255];
        let (params, sound) = asked_for(number, &extra);
        let deadline = self.now + lasts;
        let found = self.control.request(&params, deadline);
        let taken = self.model.asked.len() + self.model.lost.len();
        let error = if !self.model.up {
            Some(RequestError::Down)
        } else if sound && taken == self.model.room {
            Some(RequestError::Full)
        } else if sound {
            None
        } else if taken == self.model.room && found == Err(RequestError::Full) {
            // Either of them is valid.
            Some(RequestError::Full)
        } else {
            Some(RequestError::Invalid)
        };
        assert_eq!(found.err(), error, "{params:?}");
        if let Ok(id) = found {
            assert!(!self.requests.contains(&id), "{id:?} is not new");
            self.requests.push(id);
            self.model.asked.push(Asked {
                id,
                params: encode(&params),
                deadline,
                wanted: true,
            });
        }
    }

    fn cancel(&mut self, pick: u8) {
        let Some(&id) = self
            .requests
            .get(usize::from(pick) % self.requests.len().max(1))
        else {
            return;
        };
        let asked = self.model.asked.iter_mut();
        let wanted = asked
            .into_iter()
            .find(|asked| asked.id == id && asked.wanted);
        let mut pending = wanted.is_some();
        if let Some(asked) = wanted {
            asked.wanted = false;
        }
        pending |= self.model.forget_lost(id);
        assert_eq!(self.control.cancel(id), pending, "{id:?}");
        self.seen.cancelled += u64::from(pending);
    }

    fn withdraw(&mut self, pick: u8) {
        // Mostly the last one, as of a caller whose LINK_SETUP was not sent.
        let count = self.requests.len();
        let Some(&id) = self
            .requests
            .get(count.saturating_sub(1 + usize::from(pick & 3)))
        else {
            return;
        };
        let asked = &mut self.model.asked;
        let wanted = asked
            .iter()
            .position(|asked| asked.id == id && asked.wanted);
        let mut pending = wanted.is_some();
        if let Some(wanted) = wanted {
            asked.remove(wanted);
        }
        pending |= self.model.forget_lost(id);
        assert_eq!(self.control.withdraw(id), pending, "{id:?}");
        self.seen.withdrawn += u64::from(pending);
    }

    fn close(&mut self, pick: u8) {
        let Some(&id) = self
            .channels
            .get(usize::from(pick) % self.channels.len().max(1))
        else {
            return;
        };
        let owned = self.model.owners.get(&id.get()) == Some(&id);
        if owned {
            self.model.owners.remove(&id.get());
        }
        assert_eq!(self.control.close(id), owned, "{id:?}");
        self.seen.closed += u64::from(owned);
    }

    fn frame(&mut self, body: &[u8]) {
        let want = self.model.on_frame(body, self.now);
        let event = self.control.on_frame(body, self.now);
        let mut destroy = None;
        let found = match event {
            Event::Connected {
                request,
                id,
                appended,
            } => {
                self.seen.connected += 1;
                assert!(!self.channels.contains(&id), "{id:?} is not new");
                self.channels.push(id);
                let other = self.model.owners.insert(id.get(), id);
                assert_eq!(other, None, "two channels with one id");
                Want::Connected(request, id.get(), appended)
            }
            Event::Refused { request, why } => {
                match why {
                    Refusal::ByModem => self.seen.refused += 1,
                    Refusal::LinkIdZero => self.seen.bad_id += 1,
                    Refusal::LinkIdInUse(id) => {
                        self.seen.bad_id += 1;
                        destroy = Some(id);
                    }
                }
                Want::Refused(request, why)
            }
            Event::Destroy(id) => {
                self.seen.destroyed += 1;
                destroy = Some(id);
                Want::Destroy(id.get())
            }
            Event::Ignored(why) => {
                self.seen.ignored[why as usize] += 1;
                Want::Ignored(why)
            }
        };
        assert_eq!(found, want, "{body:02x?}");
        assert_eq!(event.destroy(), destroy);
    }

    /// Answers one of the requests: complete or truncated, with the right parameters or nearly so.
    fn answer(&mut self, kind: u8, pick: u8, linkid: u8, change: u8) {
        let asked = &self.model.asked;
        let Some(asked) = asked.get(usize::from(pick) % asked.len().max(1)) else {
            return;
        };
        let mut body = vec![0x20 | (kind & 1) << 4];
        body.extend(&asked.params);
        body.push(linkid);
        body.push(3);
        body.extend(b"abc");
        if kind & 2 != 0 {
            let index = usize::from(change) % body.len();
            body[index] ^= 1 << (kind >> 4 & 7);
        }
        if kind & 4 != 0 {
            body.truncate(usize::from(change) % (body.len() + 1));
        }
        self.frame(&body);
        if kind & 8 != 0 {
            self.frame(&body);
        }
    }

    fn expire(&mut self) {
        let mut want = self.model.expire(self.now);
        let mut found = Vec::new();
        while let Some(expired) = self.control.expire(self.now) {
            match expired.why {
                Failure::TimedOut => self.seen.timed_out += 1,
                Failure::LinkDown => self.seen.link_down += 1,
            }
            found.push(expired);
        }
        want.sort_by_key(|expired| expired.request);
        assert_eq!(found, want, "at {}", self.now);
    }

    fn down(&mut self) {
        self.control.down();
        self.model.up = false;
        self.model.owners.clear();
        let ended = self.model.asked.drain(..).filter(|asked| asked.wanted);
        self.model.lost.extend(ended.map(|asked| asked.id));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let op = input.u8();
        match op & 15 {
            0..=3 => {
                let (number, lasts) = (input.u8(), input.u8());
                self.request(number, lasts.into());
            }
            4 if op & 0x30 == 0x30 => self.withdraw(input.u8()),
            4 => self.cancel(input.u8()),
            5 => self.close(input.u8()),
            6 => {
                let len = usize::from(input.u8() & 31);
                let body: Vec<_> = (0..len).map(|_| input.u8()).collect();
                self.frame(&body);
            }
            7..=10 => {
                let (pick, linkid, change) = (input.u8(), input.u8() & 15, input.u8());
                self.answer(op >> 4 & 1, pick, linkid, change);
            }
            11 => {
                let (kind, pick) = (input.u8(), input.u8());
                let (linkid, change) = (input.u8(), input.u8());
                self.answer(kind, pick, linkid, change);
            }
            12 => {
                self.now += u64::from(input.u8());
                self.expire();
            }
            // A flood of successes for no request.
            13 => {
                let linkid = input.u8();
                for _ in 0..=op {
                    self.frame(&[0x20, 0x14, 0xe2, 0, 9, 9, 9, 9, linkid]);
                }
            }
            14 if op & 0x10 != 0 => self.down(),
            14 => self.now += u64::from(op >> 5),
            _ => {
                self.control.up();
                self.model.up = true;
            }
        }
        assert_eq!(self.control.next_deadline(), self.model.next_deadline());
    }
}

/// Runs an input on a link. Returns the counts.
pub fn fuzz(input: &[u8]) -> RequestCounts {
    let mut input = Input::new(input);
    let room = usize::from(input.u8() & 7);
    let mut bench = Bench {
        control: Control::new(PHYID, vec![Pending::default(); room]),
        model: Model {
            room,
            up: false,
            asked: Vec::new(),
            lost: Vec::new(),
            owners: BTreeMap::new(),
            budget: 255,
            since: 0,
        },
        now: 0,
        requests: Vec::new(),
        channels: Vec::new(),
        seen: RequestCounts::default(),
    };
    if room & 1 == 0 {
        bench.control.up();
        bench.model.up = true;
    }
    while !input.is_empty() {
        bench.step(&mut input);
    }
    // No request is left without an outcome.
    bench.down();
    bench.expire();
    let seen = bench.seen;
    let outcomes = seen.connected
        + seen.refused
        + seen.bad_id
        + seen.timed_out
        + seen.link_down
        + seen.cancelled
        + seen.withdrawn;
    assert_eq!(outcomes, bench.requests.len() as u64);
    seen
}
