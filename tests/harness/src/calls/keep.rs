// SPDX-License-Identifier: GPL-2.0

//! Makes a capture small: keeps what is needed to tell the frames of Linux and their calls.

use std::{
    borrow::Cow,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    time::Duration,
};

use anyhow::Result;
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

use super::frames::{Frame, read_capture};

/// Bytes that are kept of data that the modem sent.
const KEPT: usize = 16;

/// Writes a capture without marks of calls that sent nothing, and with numbers as times, so that
/// two captures differ only where the frames do.
pub(super) fn capture(from: &Path, to: &Path) -> Result<()> {
    let mut writer = PcapNgWriter::new(BufWriter::new(File::create(to)?))?;
    for name in ["uplink", "downlink"] {
        writer.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::USER0,
            snaplen: u32::from(u16::MAX) + 2,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                InterfaceDescriptionOption::IfTsResol(9),
            ],
        })?;
    }
    let mut number = 0;
    let mut write = |frame: &Frame| -> Result<()> {
        let is_data = !frame.is_uplink && frame.channel() != Some(0);
        let len = if is_data { KEPT } else { frame.bytes.len() };
        writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id: u32::from(!frame.is_uplink),
            timestamp: Duration::from_millis(number),
            original_len: u32::try_from(frame.bytes.len())?,
            data: Cow::Borrowed(frame.bytes.get(..len).unwrap_or(&frame.bytes)),
            options: vec![],
        })?;
        number += 1;
        Ok(())
    };
    let mut mark = None;
    for frame in &read_capture(from)? {
        if frame.is_mark() {
            mark = Some(frame);
            continue;
        }
        if let Some(mark) = mark.take_if(|_| frame.is_uplink) {
            write(mark)?;
        }
        write(frame)?;
    }
    writer.into_inner().flush()?;
    Ok(())
}
