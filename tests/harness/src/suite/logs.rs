// SPDX-License-Identifier: GPL-2.0

//! Reads the logs of the parts.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// Lines of a failed part's log that are shown.
const SHOWN: usize = 40;

/// Returns the lines of a log, or of its end if it is long.
pub(super) fn lines(path: &Path) -> Vec<String> {
    const LONG: u64 = 1 << 20;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LONG)))?;
        let mut bytes = Vec::new();
        file.take(LONG).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().map(plain).collect()
}

/// Returns the last line that is not empty.
pub(crate) fn last_line(path: &Path) -> String {
    let lines = lines(path);
    lines
        .into_iter()
        .rfind(|line| !line.is_empty())
        .unwrap_or_default()
}

/// Returns a line without the control sequences of terminals.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            // A sequence ends with a letter.
            '\x1b' => drop(chars.find(char::is_ascii_alphabetic)),
            '\t' => plain.push(' '),
            char if char.is_control() => {}
            char => plain.push(char),
        }
    }
    plain
}

/// Returns the lines of a log that show why a part failed: lines with errors, and the last ones.
pub(super) fn telling_lines(lines: &[String]) -> Vec<&String> {
    const LAST: usize = 10;
    let tells = |line: &str| {
        ["FAIL", "error", "! "]
            .iter()
            .any(|mark| line.starts_with(mark))
            || line.contains("panicked at")
    };
    let (early, last) = lines.split_at(lines.len().saturating_sub(LAST));
    let early = early.iter().filter(|line| tells(line)).take(SHOWN - LAST);
    early.chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::{plain, telling_lines};

    #[test]
    fn lines_are_shown_as_text() {
        assert_eq!(plain("\x1b[1m==>\x1b[0m building\r"), "==> building");
        assert_eq!(plain("a\tb"), "a b");
    }

    #[test]
    fn a_failed_part_shows_what_tells_why() {
        let mut lines: Vec<_> = (0..50).map(|i| format!("ok {i}")).collect();
        lines[3] = "FAIL  case three".into();
        let shown = telling_lines(&lines);
        assert_eq!(shown.len(), 11);
        assert_eq!(shown[0], "FAIL  case three");
        assert_eq!(shown[10], "ok 49");
    }
}
