// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Bodies of frames on data channels: a header that depends on the service, or one byte of
//! flow control.

use core::fmt;

use super::bytes::{Full, Reader, Truncated, Writer};
use super::params::ServiceParams;

const PAYLOAD: u8 = 0x00;
const FLOW_ON: u8 = 0x80;
const FLOW_OFF: u8 = 0x81;
/// Set pin on a VEI channel, remote shutdown on a UTIL channel.
const SPECIAL: u8 = 0x82;

/// The longest header of a service.
pub const MAX_HEADER: usize = 4;

const VIDEO_HEADER: [u8; MAX_HEADER] = [0; MAX_HEADER];
const DATAGRAM_HEADER: [u8; MAX_HEADER] = [0x08, 0, 0, 0];
const DATAGRAM_COMMAND: u8 = 0x80;
const MORE_SEGMENTS: u8 = 0x01;

/// A service that this codec knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// AT commands.
    Vei,
    /// Video telephony.
    Video,
    /// Traces.
    Debug,
    /// IP datagrams.
    Datagram,
    /// Remote file manager.
    Rfm,
    /// Any other stream.
    Util,
}

impl Service {
    /// Returns the service of a link set-up; `None` if it is unknown.
    pub fn of(params: &ServiceParams<'_>) -> Option<Self> {
        match params {
            ServiceParams::Vei => Some(Self::Vei),
            ServiceParams::Video { .. } => Some(Self::Video),
            ServiceParams::Debug => Some(Self::Debug),
            ServiceParams::Datagram { .. } => Some(Self::Datagram),
            ServiceParams::Rfm { .. } => Some(Self::Rfm),
            ServiceParams::Util { .. } => Some(Self::Util),
            ServiceParams::Unknown { .. } => None,
        }
    }

    /// Returns whether the service has flow control.
    pub fn has_flow_control(self) -> bool {
        matches!(self, Self::Vei | Self::Datagram | Self::Util)
    }

    /// Returns the number of header bytes in front of a payload.
    pub const fn header_len(self) -> usize {
        match self {
            Self::Vei | Self::Rfm | Self::Util => 1,
            Self::Video | Self::Datagram => MAX_HEADER,
            Self::Debug => 0,
        }
    }
}

/// The body of a frame on a data channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// Payload, on every service but RFM.
    Payload(&'a [u8]),
    /// A segment on an RFM channel.
    Segment {
        /// Whether another segment of the same PDU follows.
        more: bool,
        /// The segment; it begins with the PDU's 6-byte header.
        bytes: &'a [u8],
    },
    /// The sender accepts frames again.
    FlowOn,
    /// The sender accepts no more frames.
    FlowOff,
    /// A serial control line, on a VEI channel.
    SetPin(&'a [u8]),
    /// The modem closes the channel, on a UTIL channel.
    RemoteShutdown,
}

/// The reason why a body is not valid on a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataError {
    /// The header is not complete.
    Truncated(Truncated),
    /// The service has no command with this byte.
    UnknownCommand {
        /// The service.
        service: Service,
        /// The byte.
        command: u8,
    },
    /// The service cannot carry this body.
    NotOnService {
        /// The service.
        service: Service,
    },
    /// The output buffer is too small.
    Full(Full),
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(cause) => cause.fmt(f),
            Self::UnknownCommand { service, command } => {
                write!(
                    f,
                    "command {command:#04x} is unknown on a {service:?} channel"
                )
            }
            Self::NotOnService { service } => {
                write!(f, "a {service:?} channel cannot carry this")
            }
            Self::Full(cause) => cause.fmt(f),
        }
    }
}

impl core::error::Error for DataError {}

impl From<Truncated> for DataError {
    fn from(cause: Truncated) -> Self {
        Self::Truncated(cause)
    }
}

impl From<Full> for DataError {
    fn from(cause: Full) -> Self {
        Self::Full(cause)
    }
}

impl<'a> Data<'a> {
    /// Reads the body of a frame on a channel of `service`.
    pub fn parse(service: Service, body: &'a [u8]) -> Result<Self, DataError> {
        let mut reader = Reader::new(body);
        match service {
            Service::Debug => Ok(Self::Payload(body)),
            Service::Video => {
                reader.take("video header", VIDEO_HEADER.len())?;
                Ok(Self::Payload(reader.all()))
            }
            Service::Rfm => {
                let header = reader.u8("RFM header")?;
                Ok(Self::Segment {
                    more: header & MORE_SEGMENTS != 0,
                    bytes: reader.all(),
                })
            }
            Service::Datagram => match reader.u8("datagram header")? {
                FLOW_ON => Ok(Self::FlowOn),
                FLOW_OFF => Ok(Self::FlowOff),
                command if command & DATAGRAM_COMMAND != 0 => {
                    Err(DataError::UnknownCommand { service, command })
                }
                _ => {
                    reader.take("rest of the datagram header", 3)?;
                    Ok(Self::Payload(reader.all()))
                }
            },
            Service::Vei | Service::Util => match reader.u8("header")? {
                PAYLOAD => Ok(Self::Payload(reader.all())),
                FLOW_ON => Ok(Self::FlowOn),
                FLOW_OFF => Ok(Self::FlowOff),
                SPECIAL if service == Service::Vei => Ok(Self::SetPin(reader.all())),
                SPECIAL => Ok(Self::RemoteShutdown),
                command => Err(DataError::UnknownCommand { service, command }),
            },
        }
    }

    /// Returns the header and the bytes after it, for a frame built in pieces.
    pub fn parts(&self, service: Service) -> Result<(&'static [u8], &'a [u8]), DataError> {
        let none: &'a [u8] = &[];
        match (self, service) {
            (Self::Payload(payload), Service::Debug) => Ok((&[], payload)),
            (Self::Payload(payload), Service::Video) => Ok((&VIDEO_HEADER, payload)),
            (Self::Payload(payload), Service::Datagram) => Ok((&DATAGRAM_HEADER, payload)),
            (Self::Payload(payload), Service::Vei | Service::Util) => Ok((&[PAYLOAD], payload)),
            (Self::Segment { more: false, bytes }, Service::Rfm) => Ok((&[0], bytes)),
            (Self::Segment { more: true, bytes }, Service::Rfm) => Ok((&[MORE_SEGMENTS], bytes)),
            (Self::FlowOn, service) if service.has_flow_control() => Ok((&[FLOW_ON], none)),
            (Self::FlowOff, service) if service.has_flow_control() => Ok((&[FLOW_OFF], none)),
            (Self::SetPin(pins), Service::Vei) => Ok((&[SPECIAL], pins)),
            (Self::RemoteShutdown, Service::Util) => Ok((&[SPECIAL], none)),
            (_, service) => Err(DataError::NotOnService { service }),
        }
    }

    /// Writes the body of a frame. Returns its length.
    pub fn build(&self, service: Service, out: &mut [u8]) -> Result<usize, DataError> {
        let (header, payload) = self.parts(service)?;
        let mut writer = Writer::new(out);
        writer.put(header)?;
        writer.put(payload)?;
        Ok(writer.written())
    }
}
