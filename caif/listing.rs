// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/caif`: the channels of a namespace's links, a line for each.
//!
//! `Documentation/caif-stack.md` describes the columns, which programs read.

use crate::{
    abstractions::net::{
        netdev::{
            DeviceName,
            NetId,
            Netdev, //
        },
        proc::NetFile, //
    },
    caif_wire::{
        data::Service,
        params::{
            LinkParams,
            ServiceParams,
            CHTYPE_DATAGRAM_LOOP, //
        }, //
    },
    channel::{
        Channel,
        Owner, //
    },
    flow::{
        Side,
        Stopped, //
    },
    link::Link,
    links::Links, //
};
use core::fmt::Write as _;
use kernel::{
    fmt,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::rcu, //
};

/// The parameters of a channel that tell it from others.
pub(crate) struct Label {
    service: &'static str,
    connection: Option<u32>,
    /// The name of a UTIL service or of an RFM volume, followed by zeroes.
    name: [u8; 16],
}

impl Label {
    /// Returns the label of a channel that is about to be requested.
    pub(crate) fn new(service: Service, params: &LinkParams<'_>) -> Self {
        let mut name = [0; 16];
        match &params.service {
            ServiceParams::Util { name: util, .. } => name = *util,
            ServiceParams::Rfm { volume, .. } => {
                for (to, from) in name.iter_mut().zip(*volume) {
                    *to = *from;
                }
            }
            _ => {}
        }
        Self {
            // As in `CAIFPROTO_*`.
            service: match service {
                Service::Vei => "at",
                Service::Video => "video",
                Service::Debug => "debug",
                Service::Datagram if params.chtype == CHTYPE_DATAGRAM_LOOP => "datagram_loop",
                Service::Datagram => "datagram",
                Service::Rfm => "rfm",
                Service::Util => "util",
            },
            connection: params.service.connection(),
            name,
        }
    }
}

/// A field of a line. All have a width but the last one, the owner.
enum Field<'a> {
    /// Nothing is known.
    None,
    Number(u32),
    Word(&'static str),
    /// Any bytes.
    Name(&'a [u8]),
    /// The inode of a socket.
    Socket(u64),
}

impl Field<'_> {
    /// Returns whether a byte of a name is printed as it is. Others are printed as in
    /// `/proc/mounts`, and so is the name `-`, which stands for no name.
    fn is_plain(name: &[u8], byte: u8) -> bool {
        byte.is_ascii_graphic() && byte != b'\\' && name != b"-"
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None | Self::Name([]) => f.pad("-"),
            Self::Number(number) => fmt::Display::fmt(number, f),
            Self::Word(word) => f.pad(word),
            Self::Name(name) => {
                let mut written = 0;
                for &byte in *name {
                    if Self::is_plain(name, byte) {
                        f.write_char(char::from(byte))?;
                        written += 1;
                    } else {
                        write!(f, "\\{byte:03o}")?;
                        written += 4;
                    }
                }
                for _ in written..f.width().unwrap_or(0) {
                    f.write_char(' ')?;
                }
                Ok(())
            }
            Self::Socket(inode) => write!(f, "socket:[{inode}]"),
        }
    }
}

/// The lines of one link.
struct Lines<'a> {
    file: &'a SeqFile,
    net: NetId,
    link: DeviceName,
}

impl Lines<'_> {
    /// Prints a line. `None` stands for a channel of which only the id is left.
    fn line(&self, id: Option<u8>, state: &'static str, channel: Option<&Channel>) {
        let label = channel.map(Channel::label);
        let name = label.map_or(&[][..], |label| &label.name);
        let name = name.split(|byte| *byte == 0).next().unwrap_or(&[]);
        // There is no flow control before the modem's answer.
        let open = channel.filter(|_| id.is_some());
        let owner = channel.map_or(Owner::Unknown, |channel| channel.client().owner(self.net));
        seq_print!(
            self.file,
            "{:<15} {:>3} {:<13} {:>10} {:<16} {:<10} {:<14} {:<3} {}\n",
            Field::Name(self.link.bytes()),
            id.map_or(Field::None, |id| Field::Number(id.into())),
            label.map_or(Field::None, |label| Field::Word(label.service)),
            label
                .and_then(|label| label.connection)
                .map_or(Field::None, Field::Number),
            Field::Name(name),
            state,
            open.map_or(Field::None, tx),
            open.map_or(Field::None, rx),
            match &owner {
                Owner::Interface(name) => Field::Name(name.bytes()),
                Owner::Socket(inode) => Field::Socket(*inode),
                Owner::Unknown => Field::None,
            }
        );
    }

    /// Prints all lines.
    fn all(&self, link: &Link) -> Result {
        let (channels, owed) = link.listed()?;
        for channel in &channels {
            match channel.id() {
                None => self.line(None, "connecting", Some(channel)),
                Some(_) if channel.check() == Err(Stopped::Closed) => {}
                Some(id) => self.line(Some(id.get()), "open", Some(channel)),
            }
        }
        for (id, owed) in (u8::MIN..=u8::MAX).zip(owed) {
            if owed {
                self.line(Some(id), "closing", None);
            }
        }
        Ok(())
    }
}

/// Returns whether payloads may be sent to the modem, or who does not take them.
fn tx(channel: &Channel) -> Field<'static> {
    Field::Word(
        match (channel.is_off(Side::Modem), channel.is_off(Side::Link)) {
            (false, false) => "on",
            (true, false) => "off:modem",
            (false, true) => "off:link",
            (true, true) => "off:modem,link",
        },
    )
}

/// Returns whether the modem may send payloads.
fn rx(channel: &Channel) -> Field<'static> {
    Field::Word(if channel.client().takes() {
        "on"
    } else {
        "off"
    })
}

/// The file `/proc/net/caif`.
pub(crate) struct Listing;

impl NetFile for Listing {
    const NAME: &'static CStr = c"caif";

    fn show(net: NetId, file: &SeqFile) -> Result {
        seq_print!(
            file,
            "{:<15} {:>3} {:<13} {:>10} {:<16} {:<10} {:<14} {:<3} {}\n",
            "link",
            "id",
            "service",
            "connection",
            "name",
            "state",
            "tx",
            "rx",
            "owner"
        );
        for link in &Links::get()?.of(net)? {
            let guard = rcu::read_lock();
            let name = link.dev(&guard).map(Netdev::name);
            drop(guard);
            if let Some(link_name) = name {
                let lines = Lines {
                    file,
                    net,
                    link: link_name,
                };
                lines.all(link)?;
            }
        }
        Ok(())
    }
}
