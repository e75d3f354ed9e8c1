// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Frames: `L (u16) | mux (u8) | body | FCS (u16)`, where L counts all that follows it.

use core::fmt;

use super::bytes::{Full, Reader, Truncated, Writer};
use super::fcs;

/// Bytes in front of a body: L and mux.
pub const HEADER_LEN: usize = 3;

/// Bytes of the check sequence, behind the body.
pub const FCS_LEN: usize = 2;

/// Bytes that a frame adds to its body.
pub const OVERHEAD: usize = HEADER_LEN + FCS_LEN;

/// The largest body L can count.
pub const MAX_BODY: usize = u16::MAX as usize - LEAST_LENGTH as usize;

/// L of a frame with an empty body: all but the bytes of L itself.
const LEAST_LENGTH: u16 = OVERHEAD as u16 - 2;

/// Use of the frame check sequence on a link. A frame has its two bytes in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fcs {
    /// The bytes are ignored when read and zero when written, as on a virtio link.
    #[default]
    Off,
    /// The bytes are checked when read and computed when written.
    On,
}

/// A frame without its length and check sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The mux byte: the channel's linkid.
    pub channel: u8,
    /// The body, whose meaning depends on the channel.
    pub body: &'a [u8],
}

/// The reason why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The length field is missing or cut off.
    NoLength(Truncated),
    /// L does not cover the mux byte and the check sequence.
    TooShort {
        /// The value of L.
        length: u16,
    },
    /// L goes beyond the end of the input.
    BeyondEnd {
        /// The value of L.
        length: u16,
        /// Number of bytes after L.
        have: usize,
    },
    /// The check sequence does not match.
    BadFcs {
        /// The check sequence of the frame.
        found: u16,
        /// The check sequence computed from its bytes.
        computed: u16,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLength(cause) => write!(f, "no frame length: {cause}"),
            Self::TooShort { length } => {
                write!(f, "frame length {length} is below {LEAST_LENGTH}")
            }
            Self::BeyondEnd { length, have } => {
                write!(f, "frame length {length} is beyond the {have} bytes there")
            }
            Self::BadFcs { found, computed } => {
                write!(f, "frame check {found:#06x} should be {computed:#06x}")
            }
        }
    }
}

impl core::error::Error for FrameError {}

#[allow(
    dead_code,
    reason = "the kernel has frames in packets, with room around"
)]
impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`. Bytes after it are ignored.
    pub fn parse(bytes: &'a [u8], check: Fcs) -> Result<Self, FrameError> {
        let mut reader = Reader::new(bytes);
        let length = reader.u16("frame length").map_err(FrameError::NoLength)?;
        if length < LEAST_LENGTH {
            return Err(FrameError::TooShort { length });
        }
        let have = reader.rest().len();
        let covered = reader
            .take("frame", usize::from(length))
            .map_err(|_| FrameError::BeyondEnd { length, have })?;
        // Both splits succeed, because L is at least 3. The errors keep the parser free of panics.
        let Some((checked, found)) = covered.split_last_chunk::<FCS_LEN>() else {
            return Err(FrameError::TooShort { length });
        };
        let Some((channel, body)) = checked.split_first() else {
            return Err(FrameError::TooShort { length });
        };
        if check == Fcs::On {
            let found = u16::from_le_bytes(*found);
            let computed = fcs::update(fcs::INIT, checked);
            if found != computed {
                return Err(FrameError::BadFcs { found, computed });
            }
        }
        Ok(Self {
            channel: *channel,
            body,
        })
    }

    /// Writes the frame. Returns its length on the wire.
    pub fn build(&self, check: Fcs, out: &mut [u8]) -> Result<usize, BuildError> {
        build(self.channel, &[self.body], check, out)
    }
}

/// The reason why a frame cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildError {
    /// The body is longer than [`MAX_BODY`].
    BodyTooLong {
        /// Length of the body.
        len: usize,
    },
    /// The output buffer is too small.
    Full(Full),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BodyTooLong { len } => {
                write!(f, "a body of {len} bytes is above {MAX_BODY}")
            }
            Self::Full(cause) => cause.fmt(f),
        }
    }
}

impl core::error::Error for BuildError {}

impl From<Full> for BuildError {
    fn from(cause: Full) -> Self {
        Self::Full(cause)
    }
}

/// Writes a frame whose body is given in pieces. Returns its length on the wire.
pub fn build(channel: u8, body: &[&[u8]], check: Fcs, out: &mut [u8]) -> Result<usize, BuildError> {
    let len = body
        .iter()
        .fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
    let length = len
        .checked_add(usize::from(LEAST_LENGTH))
        .and_then(|length| u16::try_from(length).ok())
        .ok_or(BuildError::BodyTooLong { len })?;
    let mut writer = Writer::new(out);
    writer.put(&length.to_le_bytes())?;
    writer.put(&[channel])?;
    let mut crc = fcs::update(fcs::INIT, &[channel]);
    for piece in body {
        writer.put(piece)?;
        if check == Fcs::On {
            crc = fcs::update(crc, piece);
        }
    }
    let trailer = match check {
        Fcs::On => crc,
        Fcs::Off => 0,
    };
    writer.put(&trailer.to_le_bytes())?;
    Ok(writer.written())
}
