// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Output to the user.

use std::{
    io::{self, ErrorKind, Write},
    time::Duration,
};

use anyhow::{Error, Result};
use thiserror::Error;

/// Standard output takes no more. The type tells this from the same error of a channel.
#[derive(Debug, Error)]
#[error("cannot write to standard output")]
pub struct NotPrinted(#[source] io::Error);

/// Prints to standard output, at once. A reader that is gone is an error.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).map_err(NotPrinted)?;
    out.flush().map_err(NotPrinted)?;
    Ok(())
}

/// Prints a line to standard error.
pub fn complain(text: &str) {
    // An error of this cannot be reported.
    let _ = writeln!(io::stderr(), "caifctl: {text}");
}

/// Returns whether an error is EPIPE of standard output: the reader closed the pipe.
pub fn is_closed(error: &Error) -> bool {
    error
        .downcast_ref::<NotPrinted>()
        .is_some_and(|NotPrinted(error)| error.kind() == ErrorKind::BrokenPipe)
}

/// Makes a modem's text safe for a terminal: escapes control characters, tabs aside.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Reads a time in seconds from the command line.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let value: f64 = text.parse().map_err(|_| "invalid number".to_owned())?;
    if !(0.1..=86400.0).contains(&value) {
        return Err("it must be from 0.1 to 86400".to_owned());
    }
    Ok(Duration::from_secs_f64(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(printable("+CSQ: 23,99\t!"), "+CSQ: 23,99\t!");
        assert_eq!(printable("a\x1b[2Jb\x07\u{9b}"), r"a\u{1b}[2Jb\u{7}\u{9b}");
    }

    #[test]
    fn times_have_limits() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["", "x", "0", "-1", "nan", "inf", "1e9"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
