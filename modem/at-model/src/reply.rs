// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The text that goes to a terminal: V.250, 5.7.

use crate::failure::{Detail, Failure};

/// Text for a terminal, and how it wants it.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    text: Vec<u8>,
    /// ATV0: results are numbers.
    pub(crate) terse: bool,
    /// ATQ1: there are no results.
    pub(crate) quiet: bool,
    pub(crate) detail: Detail,
}

impl Reply {
    /// Creates a reply with default settings that continues a text.
    pub(crate) fn with_text(text: Vec<u8>) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// Sends a byte back as it came.
    pub(crate) fn echo(&mut self, byte: u8) {
        self.text.push(byte);
    }

    /// Adds a line of an answer, or an unsolicited result.
    pub(crate) fn say(&mut self, line: &str) {
        if !self.terse {
            self.text.extend_from_slice(b"\r\n");
        }
        self.text.extend_from_slice(line.as_bytes());
        self.text.extend_from_slice(b"\r\n");
    }

    /// Adds text as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
    }

    /// Adds the final result code of a line.
    pub(crate) fn end(&mut self, result: Result<(), Failure>) {
        if self.quiet {
            return;
        }
        let (word, number) = match result {
            Ok(()) => ("OK", '0'),
            Err(failure) => match failure.text(self.detail) {
                Some(text) => return self.say(&text),
                None if failure == Failure::NoCarrier => ("NO CARRIER", '3'),
                None => ("ERROR", '4'),
            },
        };
        if self.terse {
            self.raw(&format!("{number}\r"));
        } else {
            self.say(word);
        }
    }

    /// Removes and returns the text.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Cme;

    fn end(reply: &mut Reply, result: Result<(), Failure>) -> String {
        reply.end(result);
        String::from_utf8(reply.take()).unwrap()
    }

    #[test]
    fn words_and_numbers() {
        let failure = Err(Cme::NoSim.into());
        let mut reply = Reply::default();
        assert_eq!(end(&mut reply, Ok(())), "\r\nOK\r\n");
        assert_eq!(end(&mut reply, failure), "\r\nERROR\r\n");
        reply.detail = Detail::Number;
        assert_eq!(end(&mut reply, failure), "\r\n+CME ERROR: 10\r\n");
        assert_eq!(end(&mut reply, Err(Failure::Unknown)), "\r\nERROR\r\n");
        let no_carrier = Err(Failure::NoCarrier);
        assert_eq!(end(&mut reply, no_carrier), "\r\nNO CARRIER\r\n");
        reply.detail = Detail::Text;
        reply.terse = true;
        assert_eq!(end(&mut reply, failure), "+CME ERROR: SIM not inserted\r\n");
        assert_eq!(end(&mut reply, Ok(())), "0\r");
        assert_eq!(end(&mut reply, Err(Failure::Unknown)), "4\r");
        reply.quiet = true;
        assert_eq!(end(&mut reply, Ok(())), "");
    }
}
