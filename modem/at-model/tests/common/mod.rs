// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Terminals of a modem, with a simulated clock.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::time::{Duration, Instant};

use at_model::{Modem, Network, Order, Report};

/// A modem and the simulated time.
pub struct Bench {
    pub modem: Modem,
    pub now: Instant,
    /// What the modem around the model was told to do.
    pub orders: Vec<Order>,
}

impl Bench {
    pub fn new(network: Network) -> Self {
        Self {
            modem: Modem::new(network),
            now: Instant::now(),
            orders: Vec::new(),
        }
    }

    /// Opens terminals without echo.
    pub fn open(&mut self, terminals: &[u8]) {
        for terminal in terminals {
            self.modem.open(*terminal, self.now);
            assert_eq!(self.send(*terminal, "ATE0\r"), "ATE0\r\r\nOK\r\n");
        }
    }

    /// Sends text as it is. Returns all that the terminal gets.
    pub fn send(&mut self, terminal: u8, text: &str) -> String {
        let report = Report::default();
        self.modem
            .input(terminal, text.as_bytes(), report, self.now);
        self.orders.extend(self.modem.orders());
        self.heard(terminal)
    }

    /// Returns what a terminal gets unasked.
    pub fn heard(&mut self, terminal: u8) -> String {
        String::from_utf8(self.modem.output(terminal)).unwrap()
    }

    pub fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.modem.poll(self.now);
        self.orders.extend(self.modem.orders());
    }

    /// Sends a line. Returns the lines that the terminal gets.
    pub fn ask(&mut self, terminal: u8, line: &str) -> Vec<String> {
        let text = self.send(terminal, &format!("{line}\r"));
        // The terminal may have its echo on.
        lines(text.strip_prefix(&format!("{line}\r")).unwrap_or(&text))
    }

    /// Sends a line whose answer must be these lines.
    #[track_caller]
    pub fn expect(&mut self, terminal: u8, line: &str, answer: &[&str]) {
        assert_eq!(self.ask(terminal, line), answer, "{line}");
    }
}

/// Splits a text into its lines.
pub fn lines(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        // The second line of a message has no line end before it.
        let line = rest.strip_prefix("\r\n").unwrap_or(rest);
        let (line, after) = line
            .split_once("\r\n")
            .unwrap_or_else(|| panic!("{text:?}"));
        lines.push(line.to_owned());
        rest = after;
    }
    lines
}
