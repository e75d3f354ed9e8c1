// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The control channel of one link: requests for channels, and the link ids that they resulted in.
//!
//! This file does no I/O and does not wait. Bytes from the modem and a clock go in, actions come
//! out. The caller holds the link's lock only for a call into [`Control`], and sends frames and
//! calls clients after it was released.
//!
//! # The life of a request
//!
//! [`Control::request`] records the parameters, and the caller sends an ENUM and a LINK_SETUP. A
//! request ends exactly once, by the first of:
//!
//! | what happens | outcome |
//! |---|---|
//! | a success, its link id free | [`Event::Connected`] |
//! | a success, its link id in use | [`Event::Refused`], and the new channel is destroyed |
//! | a success with link id 0, or an error | [`Event::Refused`] |
//! | its deadline | [`Control::expire`] |
//! | the link goes down | [`Control::expire`], at once |
//! | the client does not want it any more | [`Control::cancel`], which returns true |
//! | its messages could not be sent | [`Control::withdraw`], which returns true |
//!
//! A request that was cancelled stays until its answer or its deadline, so that its answer is not
//! taken for that of another one. What a success set up for it is destroyed.
//!
//! # Which request an answer is for
//!
//! An answer repeats the parameters of the request. Of several requests with the same ones, a
//! success goes to the oldest that is still wanted, as equal channels are interchangeable; an error
//! goes to the oldest, as a modem answers in order. A success for no request is destroyed, unless
//! its id is in use: then the modem repeated an answer, and a LINK_DESTROY would end the channel
//! that has the id.

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use core::{
    borrow::BorrowMut,
    mem,
    num::NonZeroU8, //
};

use crate::caif_wire::{
    bytes::{
        Reader,
        Writer, //
    },
    control::Message,
    params::{
        LinkParams,
        ServiceParams, //
    }, //
};

/// Requests of a link that may be pending: as many as the storage of [`Control`] should have.
pub const PENDING: usize = 64;

/// The longest parameters of a LINK_SETUP: those of a UTIL channel with 255 bytes of its own.
const MAX_PARAMS: usize = 279;

/// The longest body of a request, or of an answer to one: command, parameters, link id, and 255
/// bytes after their length.
pub const MAX_BODY: usize = MAX_PARAMS + 258;

/// Most LINK_DESTROY messages at once for successes that are for no request: one for each link id.
/// One more is allowed every 4 ms.
const DESTROY_BURST: u32 = 255;

/// The time after which one more LINK_DESTROY is allowed, 4 ms, as a power of two.
const DESTROY_SHIFT: u32 = 2;

/// The number of a request, which no other request of the link ever has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(u64);

/// The link id of a channel, and which use of the id it is: the modem may assign it again after the
/// channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkId {
    id: NonZeroU8,
    /// Counts the channels that had the id. It wraps after 2^32 channels.
    life: u32,
}

impl LinkId {
    /// Returns the mux byte of the channel's frames.
    pub fn get(self) -> u8 {
        self.id.get()
    }
}

/// The reason why a channel cannot be requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The link is down.
    Down,
    /// Too many requests are pending.
    Full,
    /// The parameters do not fit into their fields, or are for another link.
    Invalid,
}

/// The reason why a client gets no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The modem refused.
    ByModem,
    /// The modem assigned the link id of the control channel.
    LinkIdZero,
    /// The modem assigned a link id that is in use. The channel must be destroyed.
    LinkIdInUse(NonZeroU8),
}

/// The reason why a request ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The deadline passed.
    TimedOut,
    /// The link went down.
    LinkDown,
}

/// The reason why a message was ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// The link is down.
    Down,
    /// The message is truncated or unknown.
    Malformed,
    /// A success for no request, with link id 0.
    NoLinkId,
    /// A success for no request, with a link id that is in use.
    Repeated,
    /// A success for no request, after too many of them.
    TooMany,
    /// An error for no request.
    NotAsked,
    /// An error, or a success with link id 0, for a request that was cancelled.
    Cancelled,
    /// An answer to LINK_DESTROY or ENUM.
    Confirmed,
    /// LINK_ERR: the modem got a bad frame.
    LinkErr,
    /// A request by the modem.
    Request,
    /// A message that this side does not know.
    Unknown,
}

/// The action that a message of the modem requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The channel is set up: the caller tells the client.
    Connected {
        /// The request that was answered.
        request: RequestId,
        /// The id, which is in use until [`Control::close`].
        id: LinkId,
        /// The bytes that the modem appended for a UTIL channel, at most 255.
        appended: &'a [u8],
    },
    /// The client gets no channel: the caller tells it; see [`Event::destroy`].
    Refused {
        /// The request that was answered.
        request: RequestId,
        /// The reason.
        why: Refusal,
    },
    /// No client wants the channel: the caller sends a LINK_DESTROY.
    Destroy(NonZeroU8),
    /// No action.
    Ignored(Ignored),
}

impl Event<'_> {
    /// Returns the link id for which a LINK_DESTROY must be sent.
    pub fn destroy(&self) -> Option<NonZeroU8> {
        match self {
            Self::Destroy(id) => Some(*id),
            Self::Refused {
                why: Refusal::LinkIdInUse(id),
                ..
            } => Some(*id),
            _ => None,
        }
    }
}

/// A request that ended without an answer: the caller tells the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired {
    /// The request.
    pub request: RequestId,
    /// The reason.
    pub why: Failure,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// No request.
    #[default]
    Free,
    /// The client waits for the answer.
    Wanted,
    /// The client does not wait any more, but the modem may answer.
    Cancelled,
    /// The client waits, but the link went down.
    Lost,
}

/// Room for a request.
#[derive(Clone, Debug)]
pub struct Pending {
    state: State,
    id: RequestId,
    deadline: u64,
    len: usize,
    params: [u8; MAX_PARAMS],
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            state: State::Free,
            id: RequestId(0),
            deadline: 0,
            len: 0,
            params: [0; MAX_PARAMS],
        }
    }
}

impl Pending {
    /// Returns whether the modem may answer.
    fn is_open(&self) -> bool {
        matches!(self.state, State::Wanted | State::Cancelled)
    }

    /// Returns whether an answer that begins with these parameters is to this request. Parameters
    /// are never a prefix of others, since their length is in them.
    fn is_answered_by(&self, echo: &[u8]) -> bool {
        self.is_open()
            && self
                .params
                .get(..self.len)
                .is_some_and(|params| echo.starts_with(params))
    }

    /// Returns the time at which [`Control::expire`] ends it.
    fn ends_at(&self) -> Option<u64> {
        match self.state {
            State::Free => None,
            State::Wanted | State::Cancelled => Some(self.deadline),
            State::Lost => Some(0),
        }
    }
}

/// Limits the LINK_DESTROY messages that unsolicited successes cause.
#[derive(Clone, Copy, Debug)]
struct Limit {
    left: u32,
    since: u64,
}

impl Limit {
    fn take(&mut self, now: u64) -> bool {
        let gained = now.saturating_sub(self.since) >> DESTROY_SHIFT;
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(DESTROY_BURST);
            self.left = self.left.saturating_add(gained).min(DESTROY_BURST);
            self.since = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return false,
        }
        true
    }
}

/// The requests of a link that are pending, and its link ids that are in use.
///
/// The clock is any count of milliseconds that never goes back.
#[derive(Clone, Debug)]
pub struct Control<S: BorrowMut<[Pending]>> {
    phyid: u8,
    up: bool,
    pending: S,
    last: RequestId,
    /// By link id, the `life` of the channel that has it; 0 if it is free.
    in_use: [u32; 256],
    last_life: u32,
    destroys: Limit,
}

impl<S: BorrowMut<[Pending]>> Control<S> {
    /// Creates the control channel of the link with this number, 1 to 7. The link is down.
    pub fn new(phyid: u8, mut pending: S) -> Self {
        for pending in pending.borrow_mut() {
            pending.state = State::Free;
        }
        Self {
            phyid,
            up: false,
            pending,
            last: RequestId(0),
            in_use: [0; 256],
            last_life: 0,
            destroys: Limit {
                left: DESTROY_BURST,
                since: 0,
            },
        }
    }

    /// Marks the link as up: requests are possible.
    pub fn up(&mut self) {
        self.up = true;
    }

    /// Marks the link as down: all its channels are lost, and no id is in use. The pending requests
    /// end: call [`expire`](Self::expire) until it returns `None`.
    pub fn down(&mut self) {
        self.up = false;
        self.in_use = [0; 256];
        for pending in self.pending.borrow_mut() {
            pending.state = match pending.state {
                State::Wanted | State::Lost => State::Lost,
                State::Cancelled | State::Free => State::Free,
            };
        }
    }

    /// Adds a request for a channel, with a deadline. The caller sends an ENUM and the LINK_SETUP,
    /// and withdraws the request if it cannot.
    pub fn request(
        &mut self,
        params: &LinkParams<'_>,
        deadline: u64,
    ) -> Result<RequestId, RequestError> {
        if !self.up {
            return Err(RequestError::Down);
        }
        // The endpoint's upper bits go over the wire, but a modem need not repeat them.
        let unknown = matches!(params.service, ServiceParams::Unknown { .. });
        if params.phyid != self.phyid || params.endpoint > 3 || unknown {
            return Err(RequestError::Invalid);
        }
        let pending = self
            .pending
            .borrow_mut()
            .iter_mut()
            .find(|pending| pending.state == State::Free)
            .ok_or(RequestError::Full)?;
        let mut writer = Writer::new(&mut pending.params);
        params
            .write(&mut writer)
            .map_err(|_| RequestError::Invalid)?;
        let len = writer.written();
        // A value that is cut to its field would never be matched by an answer.
        if LinkParams::read(&mut Reader::new(&pending.params)) != Ok(*params) {
            return Err(RequestError::Invalid);
        }
        self.last = RequestId(self.last.0.wrapping_add(1));
        pending.state = State::Wanted;
        pending.id = self.last;
        pending.deadline = deadline;
        pending.len = len;
        Ok(self.last)
    }

    /// Cancels a request. Returns whether it was pending; if it was not, its outcome may be on its
    /// way to the client.
    pub fn cancel(&mut self, id: RequestId) -> bool {
        let wanted = self
            .pending
            .borrow_mut()
            .iter_mut()
            .find(|pending| pending.id == id && pending.state != State::Free);
        let Some(pending) = wanted else {
            return false;
        };
        let (was, state) = match pending.state {
            State::Wanted => (true, State::Cancelled),
            State::Lost => (true, State::Free),
            state => (false, state),
        };
        pending.state = state;
        was
    }

    /// Ends a request whose LINK_SETUP was not sent: its place is free at once, since there can be
    /// no answer. Returns whether it was pending, as [`cancel`](Self::cancel) does.
    pub fn withdraw(&mut self, id: RequestId) -> bool {
        let pending = self.pending.borrow_mut().iter_mut();
        let mut wanted =
            pending.filter(|pending| matches!(pending.state, State::Wanted | State::Lost));
        wanted
            .find(|pending| pending.id == id)
            .map(|pending| pending.state = State::Free)
            .is_some()
    }

    /// Frees the link id of a channel that was removed from the table. Returns whether a
    /// LINK_DESTROY must be sent: not if the channel was closed before, or lost with its link.
    pub fn close(&mut self, id: LinkId) -> bool {
        self.in_use
            .get_mut(usize::from(id.get()))
            .filter(|life| **life == id.life)
            .map(|life| *life = 0)
            .is_some()
    }

    /// Handles the body of a frame of the control channel. Returns the action that it requires.
    pub fn on_frame<'a>(&mut self, body: &'a [u8], now: u64) -> Event<'a> {
        if !self.up {
            return Event::Ignored(Ignored::Down);
        }
        let (Ok(message), Some((_, echo))) = (Message::parse(body), body.split_first()) else {
            return Event::Ignored(Ignored::Malformed);
        };
        match message {
            Message::SetupDone {
                linkid, appended, ..
            } => match self.take(echo, |pending| pending.state != State::Wanted) {
                Some((State::Wanted, request)) => self.connect(request, linkid, appended),
                Some(_) => match NonZeroU8::new(linkid) {
                    Some(id) => Event::Destroy(id),
                    None => Event::Ignored(Ignored::Cancelled),
                },
                None => self.not_asked(linkid, now),
            },
            Message::SetupRefused(_) => match self.take(echo, |_| false) {
                Some((State::Wanted, request)) => Event::Refused {
                    request,
                    why: Refusal::ByModem,
                },
                Some(_) => Event::Ignored(Ignored::Cancelled),
                None => Event::Ignored(Ignored::NotAsked),
            },
            Message::Destroyed { .. } | Message::Enumerated { .. } => {
                Event::Ignored(Ignored::Confirmed)
            }
            Message::LinkErr => Event::Ignored(Ignored::LinkErr),
            Message::Setup(_) | Message::Destroy { .. } | Message::Enum { .. } => {
                Event::Ignored(Ignored::Request)
            }
            Message::Other { .. } => Event::Ignored(Ignored::Unknown),
        }
    }

    /// Ends the oldest request that is answered by `echo`; those for which `last` is true come
    /// after all others.
    fn take(&mut self, echo: &[u8], last: fn(&Pending) -> bool) -> Option<(State, RequestId)> {
        self.pending
            .borrow_mut()
            .iter_mut()
            .filter(|pending| pending.is_answered_by(echo))
            .min_by_key(|pending| (last(pending), pending.id))
            .map(|pending| (mem::take(&mut pending.state), pending.id))
    }

    /// Handles a success for a client that waits.
    fn connect<'a>(&mut self, request: RequestId, linkid: u8, appended: &'a [u8]) -> Event<'a> {
        let refused = |why| Event::Refused { request, why };
        let (Some(id), Some(life)) = (
            NonZeroU8::new(linkid),
            self.in_use.get_mut(usize::from(linkid)),
        ) else {
            return refused(Refusal::LinkIdZero);
        };
        if *life != 0 {
            return refused(Refusal::LinkIdInUse(id));
        }
        self.last_life = self.last_life.wrapping_add(1).max(1);
        *life = self.last_life;
        Event::Connected {
            request,
            id: LinkId {
                id,
                life: self.last_life,
            },
            appended,
        }
    }

    /// Handles a success for no request.
    fn not_asked(&mut self, linkid: u8, now: u64) -> Event<'static> {
        let Some(id) = NonZeroU8::new(linkid) else {
            return Event::Ignored(Ignored::NoLinkId);
        };
        let life = self.in_use.get(usize::from(linkid));
        if life.is_some_and(|life| *life != 0) {
            return Event::Ignored(Ignored::Repeated);
        }
        if !self.destroys.take(now) {
            return Event::Ignored(Ignored::TooMany);
        }
        Event::Destroy(id)
    }

    /// Ends a request whose deadline is `now` or earlier, the oldest first. Must be called until it
    /// returns `None`, at [`next_deadline`](Self::next_deadline) and when the link went down.
    pub fn expire(&mut self, now: u64) -> Option<Expired> {
        loop {
            let pending = self
                .pending
                .borrow_mut()
                .iter_mut()
                .filter(|pending| pending.ends_at().is_some_and(|end| end <= now))
                .min_by_key(|pending| pending.id)?;
            let request = pending.id;
            let why = match mem::take(&mut pending.state) {
                State::Lost => Failure::LinkDown,
                State::Wanted => Failure::TimedOut,
                State::Cancelled | State::Free => continue,
            };
            return Some(Expired { request, why });
        }
    }

    /// Returns the time at which to call [`expire`](Self::expire); `None` if nothing is pending.
    pub fn next_deadline(&self) -> Option<u64> {
        let pending = self.pending.borrow().iter();
        pending.filter_map(Pending::ends_at).min()
    }
}
