// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The config space of a CAIF virtio device.
//!
//! 32 bytes in the machine's byte order: headroom u16, tailroom u16, MTU u32 and 4 reserved bytes
//! for the uplink, the same for the downlink, and 8 reserved bytes.

use core::fmt;

/// Bytes of the config space.
pub const CONFIG_SIZE: usize = 32;
/// Bytes of a CAIF frame in front of its body: length and link id.
pub const FRAME_HEADER: u32 = 3;
/// Bytes of a CAIF frame behind its body: the check sequence.
pub const FRAME_FCS: u32 = 2;
/// Smallest room for a frame that a link must offer: enough for CAIF's control channel, and for
/// the smallest MTU of an IP interface on top.
pub const FRAME_MIN: u32 = 128;
/// Largest buffer that a link may have. A CAIF frame tells its length in 16 bits.
const MTU_MAX: u32 = 65536;

/// The buffers of one direction: the bytes before and after each frame, and the bytes of the
/// largest buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// Bytes before the frame.
    pub headroom: u16,
    /// Bytes after the frame.
    pub tailroom: u16,
    /// Largest buffer, with headroom and tailroom.
    pub mtu: u32,
}

/// The error of a direction whose config is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    name: &'static str,
    found: Direction,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, found } = self;
        write!(
            f,
            "{name} config has headroom {}, tailroom {}, mtu {}: must be headroom + tailroom + \
             {FRAME_MIN} <= mtu <= {MTU_MAX}",
            found.headroom, found.tailroom, found.mtu
        )
    }
}

impl Direction {
    /// The buffers of a device without a config space.
    pub const DEFAULT: Self = Self {
        headroom: 32,
        tailroom: 32,
        mtu: 4096,
    };

    /// Returns the number of bytes around a frame.
    pub const fn room(&self) -> u32 {
        self.headroom as u32 + self.tailroom as u32
    }

    /// Returns the size of the largest frame, in bytes.
    pub const fn frame_max(&self) -> u32 {
        self.mtu.saturating_sub(self.room())
    }

    /// Returns the check for buffers of this direction.
    pub const fn fit(&self) -> Fit {
        // INVARIANT: The room is the sum of headroom and tailroom.
        Fit {
            headroom: self.headroom,
            room: self.room(),
            max: self.frame_max(),
        }
    }

    /// Reads the config of a direction without a check.
    fn read(raw: &[u8; CONFIG_SIZE], at: usize) -> Self {
        let byte = |i: usize| raw.get(at + i).copied().unwrap_or(0);
        Self {
            headroom: u16::from_ne_bytes([byte(0), byte(1)]),
            tailroom: u16::from_ne_bytes([byte(2), byte(3)]),
            mtu: u32::from_ne_bytes([byte(4), byte(5), byte(6), byte(7)]),
        }
    }

    fn check(self, name: &'static str) -> Result<Self, ConfigError> {
        let found = self;
        if found.mtu < found.room() + FRAME_MIN || found.mtu > MTU_MAX {
            return Err(ConfigError { name, found });
        }
        Ok(found)
    }
}

/// Checks buffers of a direction, and locates frames in them.
///
/// # Invariants
///
/// `headroom` is at most `room`.
#[derive(Clone, Copy)]
pub struct Fit {
    headroom: u16,
    room: u32,
    max: u32,
}

/// The place of a frame in its buffer.
///
/// # Invariants
///
/// The frame is inside the buffer: `headroom + len` is at most `total`.
pub struct FramePlace {
    total: u32,
    headroom: u16,
    len: u32,
}

impl Fit {
    /// Returns the place of the frame in a buffer of `total` bytes. `None` if the buffer has no
    /// room for a frame, or is too large.
    #[inline]
    pub const fn place(&self, total: u32) -> Option<FramePlace> {
        let Some(len) = total.checked_sub(self.room) else {
            return None;
        };
        if len == 0 || len > self.max {
            return None;
        }
        // INVARIANT: `room + len` is `total`, and the headroom is at most `room`.
        Some(FramePlace {
            total,
            headroom: self.headroom,
            len,
        })
    }
}

impl FramePlace {
    /// Returns the size of the buffer, in bytes.
    #[inline]
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// Returns the number of bytes in front of the frame.
    #[inline]
    pub const fn headroom(&self) -> u16 {
        self.headroom
    }

    /// Returns the size of the frame, in bytes.
    #[inline]
    pub const fn frame_len(&self) -> u32 {
        self.len
    }
}

/// The buffers of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// From Linux to the modem.
    pub uplink: Direction,
    /// From the modem to Linux.
    pub downlink: Direction,
}

impl LinkConfig {
    /// The config of a device without a config space.
    pub const DEFAULT: Self = Self {
        uplink: Direction::DEFAULT,
        downlink: Direction::DEFAULT,
    };

    /// Reads a config space without a check.
    pub fn read(raw: &[u8; CONFIG_SIZE]) -> Self {
        Self {
            uplink: Direction::read(raw, 0),
            downlink: Direction::read(raw, 12),
        }
    }

    /// Reads and checks a config space.
    pub fn parse(raw: &[u8; CONFIG_SIZE]) -> Result<Self, ConfigError> {
        let Self { uplink, downlink } = Self::read(raw);
        Ok(Self {
            uplink: uplink.check("uplink")?,
            downlink: downlink.check("downlink")?,
        })
    }
}
