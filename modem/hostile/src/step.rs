// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The steps of a case: raw accesses of the modem, and actions of the harness.

use crate::expr::Expr;
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
        /// Where the last one continues.
        last: Option<Expr>,
    },
    /// Puts heads on the available ring.
    Avail {
        /// The heads.
        heads: Vec<Expr>,
        /// How often to put all of them.
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
        /// How many.
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
        /// How many.
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
        /// How often.
        #[serde(default = "one")]
        times: u32,
    },
    /// Interrupts from another thread, over and over, until [`Calm`](Self::Calm).
    Storm {
        /// The vectors.
        vectors: Vec<u16>,
    },
    /// Stores one value after the other from another thread, over and over, until
    /// [`Calm`](Self::Calm) or, unless `across` it, the next boot.
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
        /// How often.
        times: u32,
        /// How often to make it available at once.
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
    /// Lets the modem's process go on.
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

fn four() -> u8 {
    4
}

fn hundred() -> u16 {
    100
}

fn yes() -> bool {
    true
}
