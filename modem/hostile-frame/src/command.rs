// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands of the hostile modem to the guest, which uses the CAIF stack for it: JSON in frames.
//!
//! While the stack is loaded these frames do not go over the link as they are, but as payloads of a
//! DATAGRAM channel, the good one: each of them is a proof that it still works.

use serde::{Deserialize, Serialize};

/// Connection id of the good channel, which no case uses.
pub const GOOD_CONNECTION: u32 = 0x600d_600d;

/// The longest JSON text of a command or an answer, so that its frame fits into a datagram.
pub const MAX_TEXT: usize = 700;

/// The service of a socket's or an interface's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// AT commands.
    At,
    /// Datagrams.
    Datagram,
    /// Datagrams that the modem returns.
    DatagramLoop,
    /// A service by its name.
    Util,
    /// Remote file manager.
    Rfm,
    /// Traces.
    Debug,
    /// IP, by a network interface instead of a socket.
    Interface,
}

/// A socket to make, or an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Name of the socket in the case, or of the interface.
    pub socket: String,
    /// The service.
    pub service: Service,
    /// Whether the socket is a stream.
    #[serde(default)]
    pub stream: bool,
    /// Connection id.
    #[serde(default = "one")]
    pub connection: u32,
    /// Name of the service, of the volume or of what is traced.
    #[serde(default)]
    pub name: String,
    /// Bytes for a UTIL service, in hexadecimal.
    #[serde(default)]
    pub params: String,
    /// Size of the receive buffer, `SO_RCVBUF`; 0 for the usual one.
    #[serde(default)]
    pub buffer: u32,
}

fn one() -> u32 {
    1
}

/// A command to the guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Command {
    /// Make a socket and ask for its channel, or an interface and bring it up, without waiting.
    Open(Open),
    /// Ask for the channel of a socket again.
    Connect {
        /// The socket.
        socket: String,
    },
    /// Wait until a socket or an interface is in a state.
    State {
        /// The socket.
        socket: String,
        /// The state.
        is: String,
    },
    /// Send fill bytes on a socket.
    Send {
        /// The socket.
        socket: String,
        /// Number of bytes.
        len: u32,
    },
    /// Receive all payloads that wait on a socket. The answer is [`Received`].
    Receive {
        /// The socket.
        socket: String,
    },
    /// Read a counter of an interface. The answer is a number.
    Counter {
        /// The interface.
        of: String,
        /// The name of the counter.
        name: String,
    },
    /// Close a socket, or delete an interface.
    Close {
        /// The socket.
        socket: String,
    },
    /// Only answer.
    Nothing,
    /// Close all of them.
    CloseAll,
    /// Close all and the good channel; frames go over the link as they are from then on.
    End,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Done.
    Done,
    /// Done, with a number as the result.
    Number(u64),
    /// Failed with this error of the system, by its name.
    Errno(String),
    /// The payloads.
    Received(Received),
    /// Could not be done.
    Failed(String),
}

/// The payloads received on a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Number of payloads, or of reads of a stream.
    pub count: u64,
    /// Total number of bytes.
    pub bytes: u64,
    /// The beginning of the first payload, in hexadecimal.
    pub first: String,
    /// Whether all payloads are the same.
    pub same: bool,
    /// The reason why there are no more payloads: the name of an error, or "end".
    pub then: String,
}

/// Returns bytes in hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the bytes of a text in hexadecimal, which may have spaces.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16))
        .collect::<Option<_>>()?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let byte = |pair: &[u32]| pair.iter().fold(0, |high, low| high << 4 | low) as u8;
    Some(digits.chunks_exact(2).map(byte).collect())
}

#[cfg(test)]
mod tests {
    use super::{from_hex, to_hex};

    #[test]
    fn hexadecimal() {
        assert_eq!(from_hex("00 0fF0").as_deref(), Some(&[0, 0x0f, 0xf0][..]));
        assert_eq!(to_hex(&[0, 0x0f, 0xf0]), "000ff0");
        assert_eq!(
            (from_hex("0"), from_hex("0g"), from_hex("+1")),
            (None, None, None)
        );
    }
}
