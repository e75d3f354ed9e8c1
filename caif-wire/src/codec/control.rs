// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Messages of the control channel. Their first byte is a command in the low nibble, with
//! 0x20 for a response and 0x10 for an error.

use core::fmt;

use super::bytes::{Full, Reader, Truncated, Writer};
use super::params::{read_counted, write_counted, LinkParams, ServiceParams};

const COMMAND: u8 = 0x0f;
const ERROR: u8 = 0x10;
const RESPONSE: u8 = 0x20;

const LINK_SETUP: u8 = 0;
const LINK_DESTROY: u8 = 1;
const LINK_ERR: u8 = 2;
const ENUM: u8 = 3;

/// A message of the control channel. Bytes behind a message are cut silently, as in the
/// frame around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// `00`: a host requests a channel.
    Setup(LinkParams<'a>),
    /// `20`: the channel is set up.
    SetupDone {
        /// The parameters of the request.
        params: LinkParams<'a>,
        /// The channel's mux byte.
        linkid: u8,
        /// The bytes that a UTIL channel appends, at most 255; empty for the others.
        appended: &'a [u8],
    },
    /// `30`: the channel is refused.
    SetupRefused(LinkParams<'a>),
    /// `01`: a host releases a channel.
    Destroy {
        /// The channel.
        linkid: u8,
    },
    /// `21`: the channel is released.
    Destroyed {
        /// The channel.
        linkid: u8,
    },
    /// `02`: the modem received a bad frame.
    LinkErr,
    /// `03`: a host announces a physical link.
    Enum {
        /// The number of the link.
        phyid: u8,
    },
    /// `23`: the answer to `Enum`.
    Enumerated {
        /// The number of the link.
        phyid: u8,
    },
    /// Any other first byte, among them SLEEP, WAKE, LINK_RECONF and RADIO_SET.
    Other {
        /// The first byte.
        first: u8,
        /// The bytes after it.
        rest: &'a [u8],
    },
}

/// The reason why bytes are not a message, or a message cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlError {
    /// The message ends inside a field.
    Truncated(Truncated),
    /// An RFM volume is longer than 15 bytes, or its NUL is not where it should be.
    BadVolume,
    /// A success for a service whose parameters have no known end.
    UnknownService {
        /// The service.
        service: u8,
    },
    /// More than the 255 bytes that a length byte can count.
    TooManyParameters {
        /// Their number.
        len: usize,
    },
    /// The output buffer is too small.
    Full(Full),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(cause) => cause.fmt(f),
            Self::BadVolume => f.write_str("an RFM volume is up to 15 bytes and a NUL"),
            Self::UnknownService { service } => {
                write!(f, "success for service {service}, known are 1 to 6")
            }
            Self::TooManyParameters { len } => {
                write!(f, "{len} bytes of parameters, allowed are 255")
            }
            Self::Full(cause) => cause.fmt(f),
        }
    }
}

impl core::error::Error for ControlError {}

impl From<Truncated> for ControlError {
    fn from(cause: Truncated) -> Self {
        Self::Truncated(cause)
    }
}

impl From<Full> for ControlError {
    fn from(cause: Full) -> Self {
        Self::Full(cause)
    }
}

impl<'a> Message<'a> {
    /// Reads the body of a frame on the control channel.
    pub fn parse(body: &'a [u8]) -> Result<Self, ControlError> {
        let mut reader = Reader::new(body);
        let first = reader.u8("command")?;
        const SETUP_DONE: u8 = RESPONSE | LINK_SETUP;
        const SETUP_REFUSED: u8 = RESPONSE | ERROR | LINK_SETUP;
        const DESTROYED: u8 = RESPONSE | LINK_DESTROY;
        const ENUMERATED: u8 = RESPONSE | ENUM;
        match first {
            LINK_SETUP => LinkParams::read(&mut reader).map(Self::Setup),
            SETUP_REFUSED => LinkParams::read(&mut reader).map(Self::SetupRefused),
            SETUP_DONE => {
                let params = LinkParams::read(&mut reader)?;
                if let ServiceParams::Unknown { service, .. } = params.service {
                    return Err(ControlError::UnknownService { service });
                }
                let linkid = reader.u8("linkid")?;
                let appended = match params.service {
                    ServiceParams::Util { .. } => read_counted("appended bytes", &mut reader)?,
                    _ => &[],
                };
                Ok(Self::SetupDone {
                    params,
                    linkid,
                    appended,
                })
            }
            LINK_DESTROY => Ok(Self::Destroy {
                linkid: reader.u8("linkid")?,
            }),
            DESTROYED => Ok(Self::Destroyed {
                linkid: reader.u8("linkid")?,
            }),
            LINK_ERR => Ok(Self::LinkErr),
            ENUM => Ok(Self::Enum {
                phyid: reader.u8("phyid")?,
            }),
            ENUMERATED => Ok(Self::Enumerated {
                phyid: reader.u8("phyid")?,
            }),
            first => Ok(Self::Other {
                first,
                rest: reader.all(),
            }),
        }
    }

    /// Writes the message as the body of a frame. Returns its length.
    pub fn build(&self, out: &mut [u8]) -> Result<usize, ControlError> {
        let mut writer = Writer::new(out);
        writer.put(&[self.first()])?;
        match self {
            Self::Setup(params) | Self::SetupRefused(params) => params.write(&mut writer)?,
            Self::SetupDone {
                params,
                linkid,
                appended,
            } => {
                params.write(&mut writer)?;
                writer.put(&[*linkid])?;
                if matches!(params.service, ServiceParams::Util { .. }) {
                    write_counted(appended, &mut writer)?;
                }
            }
            Self::Destroy { linkid } | Self::Destroyed { linkid } => writer.put(&[*linkid])?,
            Self::Enum { phyid } | Self::Enumerated { phyid } => writer.put(&[*phyid])?,
            Self::LinkErr => {}
            Self::Other { rest, .. } => writer.put(rest)?,
        }
        Ok(writer.written())
    }

    /// Returns the first byte of the message.
    pub fn first(&self) -> u8 {
        match self {
            Self::Setup(_) => LINK_SETUP,
            Self::SetupDone { .. } => RESPONSE | LINK_SETUP,
            Self::SetupRefused(_) => RESPONSE | ERROR | LINK_SETUP,
            Self::Destroy { .. } => LINK_DESTROY,
            Self::Destroyed { .. } => RESPONSE | LINK_DESTROY,
            Self::LinkErr => LINK_ERR,
            Self::Enum { .. } => ENUM,
            Self::Enumerated { .. } => RESPONSE | ENUM,
            Self::Other { first, .. } => *first,
        }
    }

    /// Returns the command: the low nibble of the first byte.
    #[allow(dead_code, reason = "the kernel takes messages whole")]
    pub fn command(&self) -> u8 {
        self.first() & COMMAND
    }
}
