// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The TCP services: what each does on one connection.

use smoltcp::socket::tcp::{Socket, State};

use crate::pattern::{Checksum, Pattern};

/// The longest request line of the source, with its newline.
const MAX_LINE: usize = 64;

/// A connection of a service.
pub(crate) trait Session: Send {
    /// Moves all data that can be moved. Returns whether there was any.
    fn run(&mut self, socket: &mut Socket<'_>) -> bool;
}

/// Returns whether the peer has shut its sending side down and everything was read.
pub(super) fn at_end(socket: &Socket<'_>) -> bool {
    matches!(socket.state(), State::CloseWait) && socket.recv_queue() == 0
}

/// Returns the room in the socket's send buffer.
fn room(socket: &Socket<'_>) -> usize {
    socket.send_capacity().saturating_sub(socket.send_queue())
}

/// Sends every byte back, then closes.
pub(crate) struct Echo;

impl Session for Echo {
    fn run(&mut self, socket: &mut Socket<'_>) -> bool {
        let mut moved = false;
        while socket.may_send() && socket.can_recv() && room(socket) > 0 {
            let room = room(socket);
            let piece = socket.recv(|data| {
                let piece = data.get(..room).unwrap_or(data);
                (piece.len(), piece.to_vec())
            });
            let Ok(piece) = piece else { break };
            if socket.send_slice(&piece) != Ok(piece.len()) {
                // Cannot happen, since there was room. A connection that lost bytes must end.
                socket.abort();
            }
            moved = true;
        }
        if at_end(socket) {
            socket.close();
            moved = true;
        }
        moved
    }
}

/// Counts received bytes, and sends number and checksum at the end of the stream.
#[derive(Default)]
pub(crate) struct Sink {
    checksum: Checksum,
}

impl Session for Sink {
    fn run(&mut self, socket: &mut Socket<'_>) -> bool {
        let mut moved = false;
        while socket.can_recv() {
            let read = socket.recv(|data| {
                self.checksum.update(data);
                (data.len(), ())
            });
            if read.is_err() {
                break;
            }
            moved = true;
        }
        if at_end(socket) {
            // Nothing was sent before, so the line fits the buffer.
            let _ = socket.send_slice(self.checksum.line().as_bytes());
            socket.close();
            moved = true;
        }
        moved
    }
}

/// Sends as many pseudo-random bytes as the request line asks for.
pub(crate) struct Source {
    state: SourceState,
}

enum SourceState {
    /// The part of the request line received so far.
    Line(Vec<u8>),
    Body {
        pattern: Pattern,
        left: u64,
        checksum: Checksum,
    },
    Done,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            state: SourceState::Line(Vec::new()),
        }
    }
}

impl Session for Source {
    fn run(&mut self, socket: &mut Socket<'_>) -> bool {
        let mut moved = self.read(socket);
        if let SourceState::Line(_) = self.state
            && at_end(socket)
        {
            let _ = socket.send_slice(b"ERROR end of stream before the end of the line\n");
            socket.close();
            self.state = SourceState::Done;
            moved = true;
        }
        moved | self.write(socket)
    }
}

impl Source {
    /// Reads the request line, and drops what follows it.
    fn read(&mut self, socket: &mut Socket<'_>) -> bool {
        let mut moved = false;
        while socket.can_recv() {
            let state = &mut self.state;
            let answer = socket.recv(|data| {
                let SourceState::Line(line) = state else {
                    return (data.len(), None);
                };
                let end = data.iter().position(|byte| *byte == b'\n');
                line.extend(data.iter().take(end.unwrap_or(data.len())).take(MAX_LINE));
                let answer = (end.is_some() || line.len() >= MAX_LINE).then(|| request(line));
                (data.len(), answer)
            });
            moved = true;
            match answer {
                Ok(Some(Ok((bytes, seed)))) => {
                    // Nothing was sent before, so the line fits the buffer.
                    let _ = socket.send_slice(format!("OK {bytes}\n").as_bytes());
                    self.state = SourceState::Body {
                        pattern: Pattern::new(seed),
                        left: bytes,
                        checksum: Checksum::default(),
                    };
                }
                Ok(Some(Err(why))) => {
                    let _ = socket.send_slice(format!("ERROR {why}\n").as_bytes());
                    socket.close();
                    self.state = SourceState::Done;
                }
                Ok(None) => {}
                Err(_) => break,
            }
        }
        moved
    }

    fn write(&mut self, socket: &mut Socket<'_>) -> bool {
        let SourceState::Body {
            pattern,
            left,
            checksum,
        } = &mut self.state
        else {
            return false;
        };
        let mut moved = false;
        while *left > 0 && socket.can_send() {
            let wrote = socket.send(|out| {
                let len = usize::try_from(*left).unwrap_or(out.len()).min(out.len());
                let out = out.get_mut(..len).unwrap_or_default();
                pattern.fill(out);
                checksum.update(out);
                (len, len)
            });
            let Ok(len) = wrote else { break };
            *left = left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
            moved = true;
        }
        if *left == 0 {
            let line = checksum.line();
            if room(socket) >= line.len() && socket.send_slice(line.as_bytes()).is_ok() {
                socket.close();
                self.state = SourceState::Done;
                moved = true;
            }
        }
        moved
    }
}

/// Reads `<bytes> <seed>`.
fn request(line: &[u8]) -> Result<(u64, u64), &'static str> {
    const FORMAT: &str = "the line is <bytes> <seed>, two u64 in decimal";
    if line.len() >= MAX_LINE {
        return Err("the line is longer than 64 bytes");
    }
    let line = str::from_utf8(line).map_err(|_| FORMAT)?;
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().ok_or(FORMAT)
    };
    let (bytes, seed) = line.split_once(' ').ok_or(FORMAT)?;
    Ok((number(bytes)?, number(seed)?))
}
