// SPDX-License-Identifier: GPL-2.0

//! A capture as the modem writes them, of one link or of several.

use std::{borrow::Cow, fs::File, io::BufWriter, path::Path, time::Duration};

use anyhow::{Context, Result};
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

/// A frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Which of the links.
    pub link: u32,
    /// Linux sent it.
    pub up: bool,
    /// How many bytes of it the capture has.
    pub kept: usize,
    pub bytes: Vec<u8>,
    pub time: Duration,
}

/// The frames of a capture.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    pub frames: Vec<Frame>,
    /// What the links are of.
    pub links: Vec<String>,
    now: Duration,
}

impl Capture {
    /// Begins another link.
    pub fn link(&mut self, what: &str) {
        self.links.push(what.to_owned());
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    /// Returns the time since the first frame.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Adds a frame of the last link, half a millisecond after the one before.
    pub fn add(&mut self, up: bool, bytes: Vec<u8>) {
        self.frames.push(Frame {
            link: (self.links.len() as u32).saturating_sub(1),
            up,
            kept: bytes.len(),
            bytes,
            time: self.now,
        });
        self.now += Duration::from_micros(500);
    }

    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        let mut writer = PcapNgWriter::new(BufWriter::new(file))?;
        for link in &self.links {
            for name in ["uplink", "downlink"] {
                writer.write_pcapng_block(InterfaceDescriptionBlock {
                    linktype: DataLink::USER0,
                    snaplen: 0,
                    options: vec![
                        InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                        InterfaceDescriptionOption::IfDescription(Cow::Borrowed(link)),
                        InterfaceDescriptionOption::IfTsResol(9),
                    ],
                })?;
            }
        }
        for frame in &self.frames {
            writer.write_pcapng_block(EnhancedPacketBlock {
                interface_id: 2 * frame.link + u32::from(!frame.up),
                timestamp: frame.time,
                original_len: u32::try_from(frame.bytes.len())?,
                data: Cow::Borrowed(&frame.bytes[..frame.kept]),
                options: vec![],
            })?;
        }
        std::io::Write::flush(writer.get_mut())?;
        Ok(())
    }
}
