// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The interface between a modem's model and the modem around it.

use std::time::Duration;

/// The state of the modem around the model, which `AT*FLOW?` and its like report.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report<'a> {
    /// Whether flow is off on the host's data channels.
    pub off: bool,
    /// Frames that came on them since.
    pub frames: u64,
    /// The last set-up that a host asked for.
    pub setup: &'a [u8],
    /// Number of the host's channels, the terminal's included.
    pub channels: usize,
}

/// An order to the modem around the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Send flow off on the data channels, for that long.
    FlowOff(Duration),
    /// Answer the set-ups that were not answered, of connections that are answered late.
    Answer,
    /// End every UTIL channel.
    Shutdown,
    /// Take no frames from the host, for that long.
    Stall(Duration),
    /// A context was activated or deactivated on this connection id: [`Modem::bearer`] has it.
    ///
    /// [`Modem::bearer`]: crate::Modem::bearer
    Bearer(u32),
    /// Crash, as firmware does.
    Crash,
    /// End at once, as a process that is killed does.
    Die,
}
