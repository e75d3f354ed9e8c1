// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Parameters of a link set-up. The answer to a set-up repeats them byte for byte, so encoding
//! parsed parameters gives the same bytes again.

use super::bytes::{Full, Reader, Truncated, Writer};
use super::control::ControlError;

/// Channel type of an ordinary DATAGRAM channel (`CAIFPROTO_DATAGRAM`). It and the next one are
/// those of `caif_connect_req_to_link_param()` in Linux 6.12, `net/caif/cfcnfg.c`.
pub const CHTYPE_DATAGRAM: u8 = 0;
/// Channel type of a DATAGRAM channel on which the modem returns each payload to its sender
/// (`CAIFPROTO_DATAGRAM_LOOP`).
pub const CHTYPE_DATAGRAM_LOOP: u8 = 3;

/// Longest name of an RFM volume, without its NUL.
const MAX_VOLUME: usize = 15;

/// The parameters of a host's request for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkParams<'a> {
    /// The channel's type, 4 bits; its meaning depends on the service.
    pub chtype: u8,
    /// The priority as it is on the wire, 5 bits.
    pub priority: u8,
    /// The host's number of the physical link, 3 bits.
    pub phyid: u8,
    /// The endpoint; the low two bits count, all eight are repeated.
    pub endpoint: u8,
    /// The service and its parameters.
    pub service: ServiceParams<'a>,
}

/// The part of the parameters that depends on the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceParams<'a> {
    /// AT commands.
    Vei,
    /// Video telephony.
    Video {
        /// The connection id.
        connection: u8,
    },
    /// Traces.
    Debug,
    /// IP datagrams.
    Datagram {
        /// The connection id.
        connection: u32,
    },
    /// Remote file manager.
    Rfm {
        /// The connection id.
        connection: u32,
        /// The volume without its NUL, at most `MAX_VOLUME` bytes and no NUL among them.
        volume: &'a [u8],
    },
    /// Any other stream.
    Util {
        /// Size of the host's queue in KiB.
        fifo_kb: u16,
        /// Size of the host's queue in buffers.
        fifo_bufs: u16,
        /// The name, filled up with NULs.
        name: [u8; 16],
        /// Parameters of the service itself, at most 255 bytes.
        params: &'a [u8],
    },
    /// A service that this codec does not know. The length of its parameters is not known either:
    /// they are taken to be all bytes that follow.
    Unknown {
        /// The number of the service, 4 bits.
        service: u8,
        /// The bytes after the endpoint.
        rest: &'a [u8],
    },
}

impl ServiceParams<'_> {
    /// Returns the service's number on the wire.
    pub fn number(&self) -> u8 {
        match self {
            Self::Vei => 1,
            Self::Video { .. } => 2,
            Self::Debug => 3,
            Self::Datagram { .. } => 4,
            Self::Rfm { .. } => 5,
            Self::Util { .. } => 6,
            Self::Unknown { service, .. } => service & 0x0f,
        }
    }

    /// Returns the connection id, for the services that have one.
    pub fn connection(&self) -> Option<u32> {
        match self {
            Self::Video { connection } => Some(u32::from(*connection)),
            Self::Datagram { connection } | Self::Rfm { connection, .. } => Some(*connection),
            Self::Vei | Self::Debug | Self::Util { .. } | Self::Unknown { .. } => None,
        }
    }
}

impl<'a> LinkParams<'a> {
    /// Reads the parameters and leaves `reader` behind them.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, ControlError> {
        let kind = reader.u8("channel type and service")?;
        let link = reader.u8("priority and phyid")?;
        let endpoint = reader.u8("endpoint")?;
        let service = match kind & 0x0f {
            1 => ServiceParams::Vei,
            2 => ServiceParams::Video {
                connection: reader.u8("video connection id")?,
            },
            3 => ServiceParams::Debug,
            4 => ServiceParams::Datagram {
                connection: reader.u32("datagram connection id")?,
            },
            5 => ServiceParams::Rfm {
                connection: reader.u32("RFM connection id")?,
                volume: read_volume(reader)?,
            },
            6 => ServiceParams::Util {
                fifo_kb: reader.u16("fifo size in KiB")?,
                fifo_bufs: reader.u16("fifo size in buffers")?,
                name: reader.array("utility name")?,
                params: read_counted("utility parameters", reader)?,
            },
            service => ServiceParams::Unknown {
                service,
                rest: reader.all(),
            },
        };
        Ok(Self {
            chtype: kind >> 4,
            priority: link >> 3,
            phyid: link & 0x07,
            endpoint,
            service,
        })
    }

    /// Writes the parameters.
    pub fn write(&self, writer: &mut Writer<'_>) -> Result<(), ControlError> {
        let kind = (self.chtype & 0x0f) << 4 | self.service.number();
        let link = (self.priority & 0x1f) << 3 | self.phyid & 0x07;
        writer.put(&[kind, link, self.endpoint])?;
        match &self.service {
            ServiceParams::Vei | ServiceParams::Debug => {}
            ServiceParams::Video { connection } => writer.put(&[*connection])?,
            ServiceParams::Datagram { connection } => writer.put(&connection.to_le_bytes())?,
            ServiceParams::Rfm { connection, volume } => {
                if volume.len() > MAX_VOLUME || volume.contains(&0) {
                    return Err(ControlError::BadVolume);
                }
                writer.put(&connection.to_le_bytes())?;
                writer.put(volume)?;
                writer.put(&[0])?;
            }
            ServiceParams::Util {
                fifo_kb,
                fifo_bufs,
                name,
                params,
            } => {
                writer.put(&fifo_kb.to_le_bytes())?;
                writer.put(&fifo_bufs.to_le_bytes())?;
                writer.put(name)?;
                write_counted(params, writer)?;
            }
            ServiceParams::Unknown { rest, .. } => writer.put(rest)?,
        }
        Ok(())
    }
}

fn read_volume<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], ControlError> {
    let rest = reader.rest();
    let len = rest
        .iter()
        .take(MAX_VOLUME.saturating_add(1))
        .position(|byte| *byte == 0)
        .ok_or(ControlError::BadVolume)?;
    let volume = reader.take("RFM volume", len)?;
    reader.u8("NUL of the RFM volume")?;
    Ok(volume)
}

/// Reads a length byte and that many bytes.
pub(crate) fn read_counted<'a>(
    field: &'static str,
    reader: &mut Reader<'a>,
) -> Result<&'a [u8], Truncated> {
    let len = reader.u8(field)?;
    reader.take(field, usize::from(len))
}

/// Writes a length byte and that many bytes.
pub(crate) fn write_counted(bytes: &[u8], writer: &mut Writer<'_>) -> Result<(), ControlError> {
    let len = u8::try_from(bytes.len())
        .map_err(|_| ControlError::TooManyParameters { len: bytes.len() })?;
    writer.put(&[len]).map_err(into_control)?;
    writer.put(bytes).map_err(into_control)
}

fn into_control(cause: Full) -> ControlError {
    ControlError::Full(cause)
}
