// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A terminal: an AT channel with its settings, and the text that goes to it.

use std::collections::VecDeque;

use crate::line::Editor;
use crate::reply::Reply;

/// Results that may wait for a terminal that has begun a line. Older ones are dropped.
const MAX_WAITING: usize = 64;

/// The settings of a terminal, as its commands set them; `AT&F` restores the defaults.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) echo: bool,
    /// The character set of +CSCS.
    pub(crate) charset: &'static str,
    pub(crate) creg: u8,
    pub(crate) cgreg: u8,
    pub(crate) cereg: u8,
    pub(crate) cgerep: bool,
    pub(crate) cmer: bool,
    pub(crate) indicators: [bool; 4],
    pub(crate) cnmi: bool,
    pub(crate) esimsr: bool,
    pub(crate) e2nap: bool,
    pub(crate) erinfo: bool,
    /// The format in which +COPS? shows the operator: 0 and 1 as a name, 2 as a number.
    pub(crate) operator_format: u8,
    /// +CGPIAF: whether IPv6 addresses have colons.
    pub(crate) ipv6_colons: bool,
    /// +CMGF: messages as text.
    pub(crate) text_mode: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            echo: true,
            charset: "IRA",
            creg: 0,
            cgreg: 0,
            cereg: 0,
            cgerep: false,
            cmer: false,
            indicators: [true; 4],
            cnmi: false,
            esimsr: false,
            e2nap: false,
            erinfo: false,
            operator_format: 0,
            ipv6_colons: false,
            text_mode: false,
        }
    }
}

/// An AT channel.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    pub(crate) editor: Editor,
    pub(crate) settings: Settings,
    pub(crate) reply: Reply,
    waiting: VecDeque<String>,
}

impl Terminal {
    /// Adds a result that the terminal requested before, for when it has no line begun.
    pub(crate) fn notify(&mut self, line: String) {
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(line);
    }

    /// Removes and returns the text for the terminal: answers, and waiting results if no line has
    /// begun.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        if !self.editor.has_begun() {
            for line in std::mem::take(&mut self.waiting) {
                self.reply.say(&line);
            }
        }
        self.reply.take()
    }

    /// Sets all settings to their defaults.
    pub(crate) fn set_defaults(&mut self) {
        self.settings = Settings::default();
        let text = self.reply.take();
        self.reply = Reply::with_text(text);
    }
}
