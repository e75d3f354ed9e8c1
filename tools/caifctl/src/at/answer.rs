// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Lines of a modem, and the lines that end an answer.

/// A line longer than this is cut into several.
const LONGEST: usize = 4096;

/// Bytes of an incomplete line.
#[derive(Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    /// Takes bytes. Returns the lines that they complete, without empty ones.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for byte in bytes {
            if !b"\r\n".contains(byte) {
                self.0.push(*byte);
                if self.0.len() < LONGEST {
                    continue;
                }
            }
            lines.extend(self.flush());
        }
        lines
    }

    /// Returns the incomplete last line, if there is one.
    pub fn flush(&mut self) -> Option<String> {
        let bytes = std::mem::take(&mut self.0);
        let line = String::from_utf8_lossy(&bytes).trim().to_owned();
        (!line.is_empty()).then_some(line)
    }
}

/// Returns whether a command succeeded, if the line is a result (V.250, 3GPP TS 27.007).
pub fn result(line: &str) -> Option<bool> {
    match line {
        "OK" | "CONNECT" => Some(true),
        "ERROR" | "NO CARRIER" | "NO ANSWER" | "NO DIALTONE" | "BUSY" | "COMMAND NOT SUPPORT" => {
            Some(false)
        }
        _ if line.starts_with("CONNECT ") => Some(true),
        _ if line.starts_with("+CME ERROR:") || line.starts_with("+CMS ERROR:") => Some(false),
        _ => None,
    }
}

/// Checks that a command can be sent as a line. The error says why not.
pub fn check(command: &str) -> Result<(), String> {
    match command.chars().find(|c| c.is_control()) {
        Some(wrong) => Err(format!("{wrong:?} cannot be in an AT command")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_in_pieces() {
        let whole = b"AT+CSQ\r\r\n+CSQ: 23,99\r\n\r\nOK\r\n";
        for size in 1..whole.len() {
            let mut lines = Lines::default();
            let said: Vec<_> = whole
                .chunks(size)
                .flat_map(|part| lines.push(part))
                .collect();
            assert_eq!(said, ["AT+CSQ", "+CSQ: 23,99", "OK"]);
        }
    }

    #[test]
    fn what_is_no_line_waits() {
        let mut lines = Lines::default();
        assert!(lines.push(b"\r\n> ").is_empty());
        assert_eq!(lines.flush().as_deref(), Some(">"));
        assert_eq!(lines.flush(), None);
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&[b'x'; 3 * LONGEST + 1]).len(), 3);
        assert_eq!(lines.push(b"\xff\n"), ["x\u{fffd}"]);
    }

    #[test]
    fn answers_end_by_their_results() {
        for line in ["OK", "CONNECT", "CONNECT 115200"] {
            assert_eq!(result(line), Some(true), "{line}");
        }
        for line in ["ERROR", "+CME ERROR: 10", "+CMS ERROR: 301", "NO CARRIER"] {
            assert_eq!(result(line), Some(false), "{line}");
        }
        for line in ["", "OKAY", "+CSQ: 23,99", "ERRORS", "CONNECTED"] {
            assert_eq!(result(line), None, "{line}");
        }
    }

    #[test]
    fn commands_are_single_lines() {
        assert_eq!(check("AT+CGDCONT=1,\"IP\",\"é\""), Ok(()));
        for wrong in ["AT\r", "AT\nATD1", "\x1a", "\x1b"] {
            assert!(check(wrong).is_err());
        }
    }
}
