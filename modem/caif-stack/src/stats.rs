// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Counters of an engine.

use std::fmt;

macro_rules! stats {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Counters since the engine was made; only `channels` and `waiting` are levels.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[doc = $doc])+ pub $name: u64,)+
        }

        impl Stats {
            /// Names and values, in the order of the fields.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name)),+].into_iter()
            }
        }
    };
}

stats! {
    /// Frames from the host.
    frames_in,
    /// Their bytes.
    bytes_in,
    /// Frames to the host.
    frames_out,
    /// Their bytes.
    bytes_out,
    /// Channels that are set up now.
    channels,
    /// Frames and packets that wait for the link or the host's flow on now.
    waiting,
    /// Link set-ups granted.
    setups,
    /// Link set-ups refused.
    refusals,
    /// Channels that the host destroyed.
    destroys,
    /// Resets of the link.
    resets,
    /// Flow off from the host.
    host_flow_off,
    /// Flow on from the host.
    host_flow_on,
    /// Flow off to the host.
    modem_flow_off,
    /// Flow on to the host.
    modem_flow_on,
    /// Frames from the host on channels whose flow the modem had turned off.
    frames_while_off,
    /// IP packets from the host.
    ip_in,
    /// IP packets to the host.
    ip_out,
    /// IP packets from the host on channels whose context is not active.
    no_context,
    /// Malformed frames.
    bad_frames,
    /// Frames on channels that are not set up.
    unknown_channel,
    /// Malformed messages on the control channel.
    bad_control,
    /// Messages on the control channel that need no answer.
    ignored_control,
    /// Malformed bodies on data channels.
    bad_data,
    /// Frames dropped because their channel's queue was full.
    queue_drops,
    /// Frames dropped because the link cannot carry their length.
    too_long,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (name, value)) in self.rows().enumerate() {
            let end_of_last = if number == 0 { "" } else { "\n" };
            write!(f, "{end_of_last}{name:<17}{value:>14}")?;
        }
        Ok(())
    }
}

/// Counts one more.
pub(crate) fn count(counter: &mut u64) {
    add(counter, 1);
}

/// Counts `n` more.
pub(crate) fn add(counter: &mut u64, n: usize) {
    *counter = counter.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
}
