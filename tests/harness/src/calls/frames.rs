// SPDX-License-Identifier: GPL-2.0

//! The frames that Linux sends, as text and by the calls that caused them.
//!
//! The text leaves out the values that the modem or the kernel chooses: ids of channels, which are
//! replaced by the name of the call's subject and a number, and the number of the link; and the
//! check sequence, which is unused on such a link.

use std::{collections::HashMap, fmt::Write, fs::File, path::Path};

use anyhow::{Context, Result, bail, ensure};
use pcap_file::pcapng::{Block, PcapNgReader};

use super::Script;

/// A frame of a capture.
pub struct Frame {
    /// Whether Linux sent it.
    pub is_uplink: bool,
    pub bytes: Vec<u8>,
}

impl Frame {
    pub(super) fn channel(&self) -> Option<u8> {
        self.bytes.get(2).copied()
    }

    /// Returns whether the frame marks the next call.
    pub(super) fn is_mark(&self) -> bool {
        self.is_uplink && self.channel() == Some(MARKS)
    }
}

/// The channel on which the guest's tool marks the next call.
const MARKS: u8 = 255;
/// The control channel, and the first bytes of its messages.
const CONTROL: u8 = 0;
const SETUP: u8 = 0;
const DESTROY: u8 = 1;
const ENUM: u8 = 3;
const SETUP_DONE: u8 = 0x20;
const SETUP_REFUSED: u8 = 0x30;
/// The number of the link, in the second byte of the parameters of a set-up.
const LINK: u8 = 7;
/// Longer ones are shown as their beginning, length and checksum.
const SHOWN: usize = 40;
const SHOWN_OF_LONG: usize = 12;

/// Reads a capture that the modem made.
pub fn read_capture(path: &Path) -> Result<Vec<Frame>> {
    let name = || format!("capture {}", path.display());
    let mut reader = PcapNgReader::new(File::open(path).with_context(name)?).with_context(name)?;
    let mut frames = Vec::new();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(packet) = block.with_context(name)? {
            frames.push(Frame {
                is_uplink: packet.interface_id == 0,
                bytes: packet.data.into_owned(),
            });
        }
    }
    ensure!(!frames.is_empty(), "{} is empty", name());
    Ok(frames)
}

/// Returns the frames of each call, and the number of frames whose check sequence is not zero.
pub(super) fn of_calls(
    captures: &[Vec<Frame>],
    script: &Script,
) -> Result<(Vec<Vec<String>>, usize)> {
    let mut calls = vec![Vec::new(); script.calls.len()];
    let mut checked = 0;
    let mut current = 0;
    let mut channels = Channels::default();
    for capture in captures {
        // A restarted modem has no channels.
        channels.ids.clear();
        for frame in capture {
            let frame_of = || format!("frame {:02x?} after call {current}", frame.bytes);
            // Of data that the modem sent only the beginning is kept.
            if !frame.is_uplink && frame.channel() != Some(CONTROL) {
                continue;
            }
            let (channel, body, check) = parts(&frame.bytes).with_context(frame_of)?;
            if !frame.is_uplink {
                channels.learn(body);
            } else if channel == MARKS {
                let number = str::from_utf8(body)?.strip_prefix("call ");
                let number: usize = number.with_context(frame_of)?.parse()?;
                ensure!(number > current, "{}", frame_of());
                current = number;
            } else if let Some(at) = current.checked_sub(1).filter(|at| *at < calls.len()) {
                let subject = &script.calls[at].subject;
                let text = channels
                    .show(channel, body, subject)
                    .with_context(frame_of)?;
                let [a, b, ..] = frame.bytes.as_slice() else {
                    continue;
                };
                calls[at].push(format!("{text} len {a:02x} {b:02x}"));
                checked += usize::from(check != [0; 2]);
            } else {
                bail!("{}, where no call is", frame_of());
            }
        }
    }
    Ok((calls, checked))
}

/// Returns channel, body and check sequence of a complete frame.
fn parts(frame: &[u8]) -> Option<(u8, &[u8], [u8; 2])> {
    let (header, rest) = frame.split_first_chunk::<3>()?;
    let [low, high, channel] = *header;
    let len = usize::from(u16::from_le_bytes([low, high])).checked_sub(1)?;
    let (body, check) = rest.split_last_chunk::<2>().filter(|_| rest.len() == len)?;
    Some((channel, body, *check))
}

/// The channels that were requested.
#[derive(Default)]
struct Channels {
    /// The number of channels of each subject.
    counts: HashMap<String, usize>,
    /// Requests that the modem has not answered yet, with their parameters.
    asked: Vec<(Vec<u8>, String)>,
    ids: HashMap<u8, String>,
    /// The number of the link in the last ENUM.
    link: Option<u8>,
}

impl Channels {
    /// Handles an answer of the modem.
    fn learn(&mut self, body: &[u8]) {
        let Some((command, answer)) = body.split_first() else {
            return;
        };
        if !matches!(*command, SETUP_DONE | SETUP_REFUSED) {
            return;
        }
        let asked = self.asked.iter().position(|(params, _)| {
            answer.starts_with(params) && (*command == SETUP_DONE) == (answer.len() > params.len())
        });
        if let Some(at) = asked {
            let (params, name) = self.asked.remove(at);
            if let Some(id) = answer.get(params.len()) {
                self.ids.insert(*id, name);
            }
        }
    }

    /// Returns a frame of Linux as text, which begins with its channel.
    fn show(&mut self, channel: u8, body: &[u8], subject: &str) -> Result<String> {
        if channel != CONTROL {
            return Ok(format!("{}: {}", self.name(channel), abbreviated(body)));
        }
        Ok(match body {
            [ENUM, link] => {
                ensure!((1..=7).contains(link), "link {link}");
                self.link = Some(*link);
                "control: 03 link".to_owned()
            }
            [DESTROY, id] => format!("control: 01 {}", self.name(*id)),
            [SETUP, params @ ..] => {
                let count = self.counts.entry(subject.to_owned()).or_default();
                *count += 1;
                let name = format!("{subject}.{count}");
                self.asked.push((params.to_vec(), name.clone()));
                let mut shown = body.to_vec();
                let byte = shown.get_mut(2).context("a short set-up")?;
                ensure!(
                    Some(*byte & LINK) == self.link,
                    "another link than that of ENUM"
                );
                *byte &= !LINK;
                format!("control: {} for {name}", abbreviated(&shown))
            }
            other => format!("control: {}", abbreviated(other)),
        })
    }

    fn name(&self, id: u8) -> String {
        match self.ids.get(&id) {
            Some(name) => name.clone(),
            None => "nobody".to_owned(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let space = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}

fn abbreviated(bytes: &[u8]) -> String {
    if bytes.len() <= SHOWN {
        return hex(bytes);
    }
    let start = hex(bytes.get(..SHOWN_OF_LONG).unwrap_or_default());
    let crc = crc32fast::hash(bytes);
    format!("{start} .. {} bytes, CRC {crc:08x}", bytes.len())
}

#[cfg(test)]
mod tests {
    use super::{Frame, of_calls};
    use crate::calls::Script;

    fn up(channel: u8, body: &[u8]) -> Frame {
        let mut bytes = (body.len() as u16 + 3).to_le_bytes().to_vec();
        bytes.push(channel);
        bytes.extend_from_slice(body);
        bytes.extend_from_slice(&[0; 2]);
        Frame {
            is_uplink: true,
            bytes,
        }
    }

    fn down(body: &[u8]) -> Frame {
        Frame {
            is_uplink: false,
            ..up(0, body)
        }
    }

    fn calls(frames: Vec<Frame>) -> anyhow::Result<(Vec<Vec<String>>, usize)> {
        let script = Script::parse("a connect\nb send\na close", "")?;
        of_calls(&[frames], &script)
    }

    #[test]
    fn frames_belong_to_calls_and_channels_have_names() {
        let mut other = up(78, &[9; 41]);
        *other.bytes.last_mut().unwrap() = 1;
        let frames = calls(vec![
            up(255, b"call 1"),
            up(0, &[3, 5]),
            up(0, &[0, 1, 0xfd, 0]),
            down(&[0x20, 1, 0xfd, 0, 77]),
            up(255, b"call 3"),
            up(77, b"\0x"),
            up(0, &[1, 77]),
            other,
            up(255, b"call 4"),
        ]);
        let (frames, checked) = frames.unwrap();
        assert_eq!(checked, 1);
        assert_eq!(
            frames,
            [
                vec![
                    "control: 03 link len 05 00",
                    "control: 00 01 f8 00 for a.1 len 07 00",
                ],
                vec![],
                vec![
                    "a.1: 00 78 len 05 00",
                    "control: 01 a.1 len 05 00",
                    "nobody: 09 09 09 09 09 09 09 09 09 09 09 09 .. 41 bytes, CRC 3ac2f7f8 len 2c 00",
                ]
            ]
        );
    }

    #[test]
    fn what_is_no_frame_of_a_call_is_an_error() {
        let mut short = up(0, &[3, 5]);
        short.bytes.pop();
        for frames in [
            vec![up(0, &[3, 5])],
            vec![up(255, b"call 1"), short],
            vec![up(255, b"call 1"), up(0, &[3, 5]), up(0, &[0, 1, 0xfa, 0])],
            vec![up(255, b"call 2"), up(255, b"call 1")],
            vec![up(255, b"call x")],
        ] {
            assert!(calls(frames).is_err());
        }
    }
}
