// SPDX-License-Identifier: GPL-2.0

//! Makes the same calls on the stack and on that in C: results and frames must be the same, but for
//! the listed differences.
//!
//! The results of the stack in C are kept beside the script in `tests/vm/calls`, so that it need
//! not be built for this.

mod compare;
mod frames;
mod keep;
mod script;
#[cfg(test)]
mod table;

use std::{
    env,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

pub use self::{
    compare::{frames as compare_frames, results as compare_results},
    frames::{Frame, read_capture},
    script::{Call, Script},
};

/// The results and frames of calls, one element for each.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// The results of the calls.
    pub results: Vec<String>,
    /// The frames of the calls, as text.
    pub frames: Vec<Vec<String>>,
    /// The number of frames whose check sequence is not zero.
    pub checked: usize,
}

/// Returns the folder of the script and of the kept results, in the checkout that runs this: it may
/// use what another one has compiled. The scripts name it, and cargo does for unit tests.
pub fn folder() -> PathBuf {
    let of = |variable, below| env::var_os(variable).map(|top| Path::new(&top).join(below));
    of("CAIF_CHECKOUT", "tests/vm/calls")
        .or_else(|| of("CARGO_MANIFEST_DIR", "../vm/calls"))
        .unwrap_or_else(|| "tests/vm/calls".into())
}

/// The kept captures: there are two, as the modem is another process after its crash.
const CAPTURES: [&str; 2] = ["c-1.pcapng", "c-2.pcapng"];
const RESULTS: &str = "c.results";

impl Done {
    /// Makes it of the lines that the guest's tool printed and the captures of the modem.
    pub fn new(script: &Script, printed: &str, captures: &[PathBuf]) -> Result<Self> {
        let results: Vec<String> = printed
            .lines()
            .enumerate()
            .map(|(at, line)| {
                let (number, result) = line.split_once(' ').context("no result")?;
                ensure!(number == (at + 1).to_string(), "call {at}: {line}");
                Ok(result.to_owned())
            })
            .collect::<Result<_>>()
            .with_context(|| format!("the guest's tool printed {printed}"))?;
        ensure!(results.len() == script.calls.len(), "{printed}");
        Self::with_captures(script, results, captures)
    }

    /// Reads the kept results of the stack in C.
    pub fn kept(script: &Script) -> Result<Self> {
        let results = fs::read_to_string(folder().join(RESULTS))?;
        let captures = CAPTURES.map(|name| folder().join(name));
        let old = "the script has changed: make it anew, see tests/vm/run --help";
        let results: Vec<String> = calls_of(&results)
            .zip(&script.calls)
            .map(|(line, call)| {
                let result = line
                    .strip_prefix(&call.line)
                    .and_then(|rest| rest.strip_prefix(" -> "));
                Ok(result.with_context(|| format!("{line}: {old}"))?.to_owned())
            })
            .collect::<Result<_>>()?;
        ensure!(results.len() == script.calls.len(), "{RESULTS}: {old}");
        Self::with_captures(script, results, &captures)
    }

    /// Adds the frames of captures to the results of calls.
    fn with_captures(script: &Script, results: Vec<String>, captures: &[PathBuf]) -> Result<Self> {
        let captures: Vec<_> = captures
            .iter()
            .map(|path| read_capture(path))
            .collect::<Result<_>>()?;
        let (frames, checked) = frames::of_calls(&captures, script)?;
        Ok(Self {
            results,
            frames,
            checked,
        })
    }

    /// Writes the results of the stack in C to the folder.
    pub fn keep(&self, script: &Script, captures: &[PathBuf]) -> Result<()> {
        ensure!(captures.len() == CAPTURES.len(), "{captures:?}");
        for (path, name) in captures.iter().zip(CAPTURES) {
            keep::capture(path, &folder().join(name))?;
        }
        self.write(script, &folder(), "c")
    }

    /// Writes it as text into a folder.
    pub fn write(&self, script: &Script, folder: &Path, name: &str) -> Result<()> {
        let write = |what, text| fs::write(folder.join(format!("{name}.{what}")), text);
        write("results", self.show_results(script))?;
        Ok(write("frames", self.show_frames(script))?)
    }

    /// Writes the calls and their results.
    fn show_results(&self, script: &Script) -> String {
        show(
            script,
            "what the calls of the script returned",
            |text, at, call| {
                let result = self.results.get(at).map_or("", String::as_str);
                let _ = writeln!(text, "{} -> {result}", call.line);
            },
        )
    }

    /// Writes the calls that sent frames, and the frames.
    fn show_frames(&self, script: &Script) -> String {
        show(
            script,
            "what the calls of the script put on the link",
            |text, at, call| {
                let frames = self.frames.get(at).map_or(&[][..], Vec::as_slice);
                if !frames.is_empty() {
                    let _ = writeln!(text, "{}", call.line);
                }
                for frame in frames {
                    let _ = writeln!(text, "    {frame}");
                }
            },
        )
    }
}

/// Writes something of each call, by section.
fn show(script: &Script, what: &str, mut of: impl FnMut(&mut String, usize, &Call)) -> String {
    let mut text = format!(
        "# SPDX-License-Identifier: GPL-2.0\n#\n# Made by tests/vm/run --keep, see there: {what}.\n"
    );
    let mut section = "";
    for (at, call) in script.calls.iter().enumerate() {
        if call.section != section {
            section = &call.section;
            let _ = writeln!(text, "\n== {section}");
        }
        of(&mut text, at, call);
    }
    text
}

/// Returns the lines of a file that are about calls.
fn calls_of(text: &str) -> impl Iterator<Item = &str> {
    let is_call = |line: &&str| !line.trim().is_empty() && !line.starts_with(['#', '=']);
    text.lines().filter(is_call)
}

#[cfg(test)]
mod tests {
    use super::{Done, RESULTS, Script, folder, table};
    use std::fs;

    /// Tests that the kept text is that of the captures.
    #[test]
    fn what_is_kept_is_whole() {
        let script = Script::read().unwrap();
        let kept = Done::kept(&script).unwrap();
        let read = |name| fs::read_to_string(folder().join(name)).unwrap();
        assert_eq!(read(RESULTS), kept.show_results(&script));
        assert_eq!(read("c.frames"), kept.show_frames(&script));
    }

    /// Tests that the documentation has the list of differences.
    #[test]
    fn the_documentation_has_the_differences() {
        let path = folder().join("../../../Documentation/caif-stack.md");
        let text = fs::read_to_string(path).unwrap();
        let table = table::of(&Script::read().unwrap()).unwrap();
        assert!(text.contains(&table), "it should have:\n{table}");
    }
}
