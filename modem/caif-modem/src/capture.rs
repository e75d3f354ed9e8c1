// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A capture file of all frames, in pcapng.
//!
//! There is no link type for CAIF; `USER0` (147) leaves the dissector to the reader.

use anyhow::Context;
use pcap_file::{
    DataLink,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::EnhancedPacketBlock,
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
        },
    },
};
use std::{
    borrow::Cow,
    fs::File,
    io::BufWriter,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// Direction of a frame: the capture's interfaces, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From Linux to the modem.
    Uplink = 0,
    /// From the modem to Linux.
    Downlink = 1,
}

/// A capture file.
pub struct Capture(PcapNgWriter<BufWriter<File>>);

impl Capture {
    /// Creates the file and writes its header.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot capture to {}", path.display()))?;
        let mut writer = PcapNgWriter::new(BufWriter::new(file))?;
        for name in ["uplink", "downlink"] {
            writer.write_pcapng_block(InterfaceDescriptionBlock {
                linktype: DataLink::USER0,
                snaplen: u32::from(u16::MAX) + 2,
                options: vec![
                    InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                    // The crate writes times in nanoseconds.
                    InterfaceDescriptionOption::IfTsResol(9),
                ],
            })?;
        }
        Ok(Self(writer))
    }

    /// Appends a frame.
    pub fn add(&mut self, direction: Direction, frame: &[u8]) -> anyhow::Result<()> {
        let timestamp = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.0.write_pcapng_block(EnhancedPacketBlock {
            interface_id: direction as u32,
            timestamp,
            original_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(frame),
            options: vec![],
        })?;
        Ok(())
    }

    /// Flushes buffered frames to the file.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        use std::io::Write;
        self.0.get_mut().flush().context("cannot write the capture")
    }
}
