// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Command lines, made of the bytes that a terminal sends.

/// The longest command line, without its end.
const MAX_LINE: usize = 256;
const BACKSPACE: u8 = 8;

/// A line that the terminal has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The text of the line. Bytes that are not UTF-8 are replaced, which no command allows.
    Text(String),
    /// The line was longer than a command line may be, and is lost.
    TooLong,
}

/// The line that a terminal is sending.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    line: Vec<u8>,
    too_long: bool,
}

impl Editor {
    /// Takes a byte. Returns the line that it ends.
    pub(crate) fn push(&mut self, byte: u8) -> Option<Line> {
        match byte {
            b'\r' => {
                let line = std::mem::take(&mut self.line);
                return Some(if std::mem::take(&mut self.too_long) {
                    Line::TooLong
                } else {
                    Line::Text(String::from_utf8_lossy(&line).trim().to_owned())
                });
            }
            b'\n' => {}
            BACKSPACE => {
                self.line.pop();
            }
            _ if self.line.len() < MAX_LINE => self.line.push(byte),
            _ => self.too_long = true,
        }
        None
    }

    /// Returns whether the terminal has begun a line and not ended it.
    pub(crate) fn has_begun(&self) -> bool {
        !self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Line> {
        let mut editor = Editor::default();
        bytes.iter().filter_map(|b| editor.push(*b)).collect()
    }

    fn text(text: &str) -> Line {
        Line::Text(text.to_owned())
    }

    #[test]
    fn ends_blanks_and_backspaces() {
        assert_eq!(lines(b"AT\r\nATI\r"), [text("AT"), text("ATI")]);
        assert_eq!(lines(b"  AT \r\r"), [text("AT"), text("")]);
        assert_eq!(lines(b"ATX\x08I\r"), [text("ATI")]);
        assert_eq!(lines(b"\x08\x08AT\r"), [text("AT")]);
        assert_eq!(lines(b"AT\xff\r"), [text("AT\u{fffd}")]);
        assert_eq!(lines(b"AT"), []);
    }

    #[test]
    fn a_line_without_end_is_lost_and_the_next_is_not() {
        let longest = [vec![b'x'; 256], b"\r".to_vec()].concat();
        assert_eq!(lines(&longest), [text(&"x".repeat(256))]);
        let longer = [vec![b'x'; 257], b"\rAT\r".to_vec()].concat();
        assert_eq!(lines(&longer), [Line::TooLong, text("AT")]);
    }
}
