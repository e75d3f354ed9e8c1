// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The steps of a case: raw accesses of the modem, and actions of the harness.

use crate::{catalogue::Count, expr::Expr};
use hostile_frame::command::Open;
use serde::{Deserialize, Serialize};

/// A step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Stores a number of `width` bytes.
    Store {
        /// Device address.
        at: Expr,
        /// The number.
        value: Expr,
        /// Bytes: 1, 2, 4 or 8.
        #[serde(default = "four")]
        width: u8,
    },
    /// Fills memory with the bytes that frames consist of.
    Fill {
        /// Device address.
        at: Expr,
        /// Bytes.
        len: Expr,
    },
    /// Writes buffers and their descriptors, from `head` on, and puts the chain on the available
    /// ring. [`Publish`](Self::Publish) makes it visible.
    Chain {
        /// The first descriptor.
        #[serde(default = "zero")]
        head: Expr,
        /// The buffers.
        buffers: Vec<Buffer>,
    },
    /// Writes `count` descriptors of good buffers from `head` on, each continued at the next, the
    /// last one at `last`, if there is one. The chain is not put on the available ring.
    Links {
        /// The first descriptor.
        #[serde(default = "zero")]
        head: Expr,
        /// Descriptors.
        count: Expr,
        /// Descriptor at which the last one continues.
        last: Option<Expr>,
    },
    /// Puts heads on the available ring.
    Avail {
        /// The heads.
        heads: Vec<Expr>,
        /// Number of times to put all of them.
        #[serde(default = "one")]
        times: u32,
    },
    /// Stores the index of the available ring, moved on by an additional amount, and interrupts.
    Publish {
        /// The additional amount.
        #[serde(default = "zero")]
        by: Expr,
        /// Whether to interrupt.
        #[serde(default = "yes")]
        ring: bool,
    },
    /// Waits until Linux has returned everything.
    Returned {},
    /// Delivers a frame of these bytes, which the guest must send back.
    Deliver {
        /// The bytes.
        hex: String,
    },
    /// Passes a good frame each way.
    Echo {},
    /// Leaves the frames that Linux sends on the ring, until [`Release`](Self::Release).
    Hold {},
    /// Ends [`Hold`](Self::Hold).
    Release {},
    /// Asks the guest to send plain frames.
    Ask {
        /// Number of frames.
        count: u16,
        /// Bytes of each.
        #[serde(default = "hundred")]
        len: u16,
        /// Whether to wait until Linux has returned the buffer of the request.
        #[serde(default = "yes")]
        wait: bool,
    },
    /// Takes frames off the ring while they are held, without returning them.
    Take {
        /// Number of frames.
        count: u16,
    },
    /// Puts an entry on the used ring of vring 1.
    Used {
        /// The descriptor.
        id: Expr,
        /// The length in the entry.
        #[serde(default = "zero")]
        len: Expr,
    },
    /// Stores the index of the used ring of vring 1, moved on by an additional amount, and
    /// interrupts.
    PublishUsed {
        /// The additional amount.
        #[serde(default = "zero")]
        by: Expr,
    },
    /// Interrupts.
    Ring {
        /// The vector.
        vector: Expr,
        /// Number of times.
        #[serde(default = "one")]
        times: u32,
    },
    /// Interrupts repeatedly from another thread, until [`Calm`](Self::Calm).
    Storm {
        /// The vectors.
        vectors: Vec<u16>,
    },
    /// Stores one value after the other from another thread, repeatedly, until [`Calm`](Self::Calm)
    /// or, unless `across` it, the next boot.
    Race {
        /// Device address.
        at: Expr,
        /// The values.
        values: Vec<Expr>,
        /// Bytes of each.
        #[serde(default = "four")]
        width: u8,
        /// Whether to go on in the next boot.
        #[serde(default)]
        across: bool,
    },
    /// Ends the other threads.
    Calm {},
    /// Makes a chain available `burst` times at once, and waits for its return. Repeats that
    /// `times` times, or until the link is given up or all counters in `until` have moved.
    Hammer {
        /// The chain's head.
        #[serde(default = "zero")]
        head: Expr,
        /// Number of times.
        times: u32,
        /// Number of times to make it available at once.
        #[serde(default = "one")]
        burst: u32,
        /// Counters of the guest.
        #[serde(default)]
        until: Vec<String>,
    },
    /// Waits for the link of another boot.
    NewBoot {},
    /// Waits for another link of any boot.
    NewLink {},
    /// Tells Linux that the modem crashed, and waits for another boot before it works again.
    Crash {},
    /// Ends the modem's process by `SIGKILL`.
    Kill {},
    /// Starts the modem's process again.
    Start {},
    /// Stops the modem's process.
    Freeze {},
    /// Continues the modem's process.
    Thaw {},
    /// Waits until a frame passes each way, across recoveries.
    Stable {},
    /// Stops the modem by way of remoteproc, and starts it.
    Reboot {},
    /// Unbinds the driver and binds it to the device again.
    Rebind {
        /// Whether binding must fail.
        #[serde(default)]
        fails: bool,
    },
    /// Runs a command in the guest, which must succeed.
    Guest {
        /// The command.
        run: String,
    },
    /// Waits for a line of the kernel's log since the case began.
    Log {
        /// A part of it.
        text: String,
    },
    /// Makes Linux use CAIF from now on, with the stack loaded, and waits for the good channel; or
    /// ends that.
    Stack {
        /// Whether to begin.
        on: bool,
    },
    /// Repeats steps of the modem with each value of `n`, which replaces `#` in names of sockets.
    Each {
        /// The first value.
        #[serde(default)]
        from: u64,
        /// The last value.
        to: Expr,
        /// Values to leave out.
        #[serde(default)]
        except: Vec<u64>,
        /// The steps.
        steps: Vec<Step>,
    },
    /// Makes the guest open a socket or an interface that requests a channel.
    Open {
        /// The socket or interface.
        #[serde(flatten)]
        open: Open,
        /// Whether to answer correctly, and to wait until it is connected.
        #[serde(default = "yes")]
        answer: bool,
    },
    /// Makes the guest try the same, which must fail at once.
    Fails {
        /// The socket or interface.
        #[serde(flatten)]
        open: Open,
        /// The error.
        with: String,
    },
    /// Makes the guest request the channel of a socket again.
    Connect {
        /// The socket.
        socket: String,
    },
    /// Answers the request of a socket.
    Answer {
        /// The socket.
        to: String,
        /// The first byte: a command with or without "response" and "error".
        #[serde(default = "success")]
        first: Expr,
        /// The link id; by default the lowest that is free.
        id: Option<Expr>,
        /// Bits to change: places in the body, and which bits of these bytes.
        #[serde(default)]
        flip: Vec<(usize, Expr)>,
        /// The bytes that a UTIL channel appends, in hexadecimal.
        #[serde(default)]
        appended: String,
        /// Number of bytes of the body to send.
        cut: Option<Expr>,
        /// Bytes to send behind the body, in hexadecimal.
        #[serde(default)]
        more: String,
        /// Number of times.
        #[serde(default = "once")]
        times: Expr,
    },
    /// Sends frames of a channel, one after the other.
    Frames {
        /// The channel's link id, 0 for the control channel.
        on: Expr,
        /// The beginning of all bodies, each a number.
        #[serde(default)]
        bytes: Vec<Expr>,
        /// The rest of the bodies, in hexadecimal.
        #[serde(default = "nothing")]
        hex: Vec<String>,
        /// Number of fill bytes behind that.
        #[serde(default = "zero")]
        fill: Expr,
        /// The length in the frames; by default the right one.
        length: Option<Expr>,
        /// Number of bytes of the frames to send.
        cut: Option<Expr>,
        /// Number of times to send all of them.
        #[serde(default = "once")]
        times: Expr,
    },
    /// Sends payloads on the channel of a socket.
    Data {
        /// The socket.
        to: String,
        /// Bytes of each.
        #[serde(default = "few")]
        len: Expr,
        /// Number of times.
        #[serde(default = "once")]
        times: Expr,
    },
    /// Makes the guest receive all payloads on a socket.
    Gets {
        /// The socket.
        socket: String,
        /// Number of payloads that there must be.
        count: Count,
        /// Number of payloads that there may be.
        most: Option<u64>,
        /// Number of fill bytes that each must have.
        len: Option<Expr>,
        /// The bytes that each must have, in hexadecimal.
        hex: Option<String>,
        /// The reason why there must be no more: the name of an error, or "end".
        #[serde(default = "again")]
        then: String,
    },
    /// Makes the guest send bytes on a socket, which must arrive, or an error must come.
    Sends {
        /// The socket.
        socket: String,
        /// Number of bytes.
        #[serde(default = "few")]
        len: Expr,
        /// The error.
        error: Option<String>,
    },
    /// Waits until a socket or an interface is in a state: see the guest's program.
    State {
        /// The socket.
        socket: String,
        /// The state.
        is: String,
    },
    /// Compares a counter of an interface.
    Counter {
        /// The interface.
        of: String,
        /// The name of the counter.
        name: String,
        /// The value that it must have.
        is: Count,
    },
    /// Waits for a frame of Linux, which must be the next one.
    Came {
        /// The channel's link id, 0 for the control channel.
        on: Expr,
        /// The body, in hexadecimal.
        hex: String,
    },
    /// Waits for a LINK_DESTROY of Linux, which must be the next frame.
    Destroyed {
        /// The link id.
        id: Expr,
        /// Number of such frames.
        #[serde(default = "once")]
        times: Expr,
    },
    /// Waits for identical frames of Linux, which must be the next ones, and checks their number
    /// once the guest has answered.
    CameMany {
        /// The channel's link id, 0 for the control channel.
        on: Expr,
        /// The body, in hexadecimal.
        hex: String,
        /// Number of frames that there must be.
        least: u64,
        /// Number of frames that there may be.
        most: u64,
    },
    /// Waits for a request of Linux's own accord.
    Asked {
        /// The name of an interface.
        socket: String,
    },
    /// Makes the guest close a socket while frames of its channel come, before and behind the
    /// command.
    CloseUnder {
        /// The socket.
        socket: String,
        /// The body of the frames, in hexadecimal.
        hex: String,
        /// Number of frames before, and as many behind.
        times: u64,
    },
    /// Makes the guest close a socket or delete an interface. Linux must send LINK_DESTROY if there
    /// was a channel.
    Close {
        /// The socket.
        socket: String,
    },
    /// Makes the guest close all of them. Then no frame of Linux must be left that no step waited
    /// for.
    CloseAll {},
}

/// A buffer of a chain, whose descriptor may have faults.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Buffer {
    /// Device address; by default in the heap.
    pub addr: Option<Expr>,
    /// Length in the descriptor; by default that of headroom, frame and tailroom.
    pub len: Option<Expr>,
    /// Flags of the descriptor; by default `NEXT` on all but the last.
    pub flags: Option<Expr>,
    /// Next descriptor; by default the following one.
    pub next: Option<Expr>,
    /// Length of the frame that is written to the buffer. No frame is written if `addr` is given
    /// and this is not.
    pub frame: Option<Expr>,
}

impl Step {
    /// Returns the name of the socket of a step about CAIF.
    pub fn socket(&mut self) -> Option<&mut String> {
        match self {
            Self::Open { open, .. } | Self::Fails { open, .. } => Some(&mut open.socket),
            Self::Connect { socket }
            | Self::Answer { to: socket, .. }
            | Self::Data { to: socket, .. }
            | Self::Gets { socket, .. }
            | Self::Sends { socket, .. }
            | Self::State { socket, .. }
            | Self::Asked { socket }
            | Self::CloseUnder { socket, .. }
            | Self::Close { socket } => Some(socket),
            _ => None,
        }
    }

    /// Returns all expressions of the step.
    pub fn expressions(&self) -> Vec<&Expr> {
        match self {
            Self::Store { at, value, .. } => vec![at, value],
            Self::Fill { at, len } => vec![at, len],
            Self::Chain { head, buffers } => {
                let fields = buffers.iter().flat_map(|buffer| {
                    let Buffer {
                        addr,
                        len,
                        flags,
                        next,
                        frame,
                    } = buffer;
                    [addr, len, flags, next, frame].into_iter().flatten()
                });
                std::iter::once(head).chain(fields).collect()
            }
            Self::Links { head, count, last } => [head, count].into_iter().chain(last).collect(),
            Self::Avail { heads, .. } => heads.iter().collect(),
            Self::Publish { by, .. } | Self::PublishUsed { by } => vec![by],
            Self::Used { id, len } => vec![id, len],
            Self::Ring { vector, .. } => vec![vector],
            Self::Race { at, values, .. } => std::iter::once(at).chain(values).collect(),
            Self::Hammer { head, .. } => vec![head],
            Self::Each { to, steps, .. } => {
                let inner = steps.iter().flat_map(Self::expressions);
                std::iter::once(to).chain(inner).collect()
            }
            Self::Answer {
                first,
                id,
                flip,
                cut,
                times,
                ..
            } => {
                let values = flip.iter().map(|(_, bits)| bits);
                let others = [first, times].into_iter().chain(id).chain(cut);
                others.chain(values).collect()
            }
            Self::Frames {
                on,
                bytes,
                fill,
                length,
                cut,
                times,
                ..
            } => {
                let others = [on, fill, times].into_iter().chain(length).chain(cut);
                others.chain(bytes).collect()
            }
            Self::Data { len, times, .. } => vec![len, times],
            Self::Gets { len, .. } => len.iter().collect(),
            Self::Sends { len, .. } => vec![len],
            Self::Came { on, .. } => vec![on],
            Self::Destroyed { id, times } => vec![id, times],
            _ => vec![],
        }
    }
}

fn zero() -> Expr {
    Expr::from(0)
}

fn one() -> u32 {
    1
}

fn once() -> Expr {
    Expr::from(1)
}

fn success() -> Expr {
    Expr::from(0x20)
}

fn few() -> Expr {
    Expr::from(20)
}

fn nothing() -> Vec<String> {
    vec![String::new()]
}

fn again() -> String {
    "EAGAIN".into()
}

fn four() -> u8 {
    4
}

fn hundred() -> u16 {
    100
}

fn yes() -> bool {
    true
}
