// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Frames that a host must ignore, derived from valid ones.
//!
//! A host that keeps to the protocol drops them: the frame that they were made of has the same
//! effect with them as without.

use caif_wire::Service;

/// Length and link id.
const HEADER: usize = 3;

/// The frames around one that the modem sends.
pub struct Noise {
    /// Frames to send before it.
    pub before: Vec<Vec<u8>>,
    /// Frames to send after it.
    pub after: Vec<Vec<u8>>,
}

/// Returns the noise around a frame. `service` returns that of the channel with a link id, if there is
/// one.
pub fn around(frame: &[u8], service: impl Fn(u8) -> Option<Service>) -> Noise {
    let Some((&[_, _, channel], _)) = frame.split_first_chunk::<HEADER>() else {
        return Noise {
            before: Vec::new(),
            after: Vec::new(),
        };
    };
    let body = frame.get(HEADER..frame.len() - 2).unwrap_or_default();
    let mut before = lengths(frame);
    let mut after = Vec::new();
    if channel == 0 {
        // Truncated messages, and a repeated answer.
        before.extend((0..body.len()).map(|len| build(0, &body[..len])));
        after.push(frame.to_vec());
        after.extend((0..=u8::MAX).map(|first| {
            let mut body = body.to_vec();
            if let Some(byte) = body.first_mut() {
                *byte = first;
            }
            build(0, &body)
        }));
        // An answer for a channel that was not requested: its priority is another one.
        let mut other = body.to_vec();
        if let Some(priority) = other.get_mut(2) {
            *priority ^= 0x80;
        }
        if let Some(linkid) = other.last_mut() {
            *linkid ^= 0x40;
        }
        after.push(build(0, &other));
    } else {
        // Truncated and unknown headers, and channels that there are not.
        let (cut, unknown): (usize, &[u8]) = match service(channel) {
            Some(Service::Datagram) => (4, &[0x82, 0xff]),
            Some(Service::Util | Service::Vei) => (1, &[0x83, 0xff]),
            Some(Service::Video) => (4, &[]),
            Some(Service::Rfm) => (1, &[]),
            Some(Service::Debug) | None => (0, &[]),
        };
        before.extend((0..cut.min(body.len())).map(|len| build(channel, &body[..len])));
        before.extend(
            unknown
                .iter()
                .map(|first| build(channel, &[*first, 0, 0, 0])),
        );
        let others = [0x3f, 0x80, 0xff].map(|bits| channel ^ bits).into_iter();
        let free = others.filter(|other| *other != 0 && service(*other).is_none());
        before.extend(free.map(|other| build(other, body)));
    }
    Noise { before, after }
}

/// Returns frames whose lengths are wrong.
fn lengths(frame: &[u8]) -> Vec<Vec<u8>> {
    let right = u16::try_from(frame.len() - 2).unwrap_or(u16::MAX);
    let mut frames: Vec<_> = [0, 1, 2, right.saturating_add(1), u16::MAX]
        .into_iter()
        .map(|length| {
            let mut wrong = frame.to_vec();
            wrong[..2].copy_from_slice(&length.to_le_bytes());
            wrong
        })
        .collect();
    frames.extend([1, 2, HEADER, frame.len() - 1].map(|len| frame[..len].to_vec()));
    frames
}

fn build(channel: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + HEADER).unwrap_or(u16::MAX);
    let mut frame = length.to_le_bytes().to_vec();
    frame.push(channel);
    frame.extend_from_slice(body);
    frame.extend_from_slice(&[0, 0]);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use caif_wire::{Data, Fcs, Frame};

    /// Whatever the service, a host that reads by the protocol takes only the frame itself, and those of
    /// channels that it does not have.
    #[test]
    fn noise_of_a_channel_is_nothing_to_take() {
        const CHANNEL: u8 = 5;
        for service in [
            Service::Vei,
            Service::Datagram,
            Service::Util,
            Service::Rfm,
            Service::Video,
            Service::Debug,
        ] {
            // All channels exist but one of those that noise goes to.
            let has = |linkid: u8| (linkid != CHANNEL ^ 0x80).then_some(service);
            let noise = around(&build(CHANNEL, &[0, 0, 0, 0, 1, 2]), has);
            assert!(noise.before.len() >= 9, "{service:?}");
            for frame in noise.before.iter().chain(&noise.after) {
                let Ok(Frame { channel, body, .. }) = Frame::parse(frame, Fcs::Off) else {
                    continue;
                };
                let is_taken = has(channel).is_some() && Data::parse(service, body).is_ok();
                assert!(!is_taken, "{service:?}: {frame:02x?}");
            }
        }
    }
}
