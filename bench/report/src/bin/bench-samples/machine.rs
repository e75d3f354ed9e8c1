// SPDX-License-Identifier: GPL-2.0

//! The machine that is sampled.

use std::{collections::BTreeMap, ffi::OsString, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use bench_report::{console::Console, symbols::is_function};

use crate::register::{Sample, cpu, sample};

/// How long the machine runs between two looks at it.
const INTERVAL: Duration = Duration::from_millis(20);
/// The machine's processors.
pub const CPUS: u32 = 2;

/// What was seen of a machine.
#[derive(Default)]
pub struct Sampled {
    /// Lines of `/proc/kallsyms` by the name that the script gave them.
    pub symbols: BTreeMap<String, String>,
    /// Samples by the name that the script gave them, in the order in which they were begun.
    pub samples: Vec<(String, Vec<Sample>)>,
}

/// Runs the machine until the end of its script.
pub fn run(line: &[OsString]) -> Result<Sampled> {
    let mut console = Console::start(line)?;
    let mut sampled = Sampled::default();
    let (mut symbols, mut sampling, mut now) = (None, false, 0);
    loop {
        let line = console.line()?;
        if let Some(name) = line.strip_prefix("sample begin ") {
            eprintln!("==>   {name}");
            sampled.samples.push((name.to_owned(), Vec::new()));
            sampling = true;
            look(&mut console)?;
        } else if line == "sample end" {
            sampling = false;
        } else if line == "samples end" {
            break;
        } else if let Some(name) = line.strip_prefix("symbols ") {
            symbols = Some(sampled.symbols.entry(name.to_owned()).or_default());
        } else if is_function(&line) {
            let lines = symbols.as_mut().context("symbols without a name")?;
            **lines += &line;
            lines.push('\n');
        } else if let Some(number) = cpu(&line) {
            now = number;
        } else if sampling && let Some(sample) = sample(now, &line)? {
            let (_, samples) = sampled.samples.last_mut().context("no samples")?;
            samples.push(sample);
            if now + 1 == CPUS {
                thread::sleep(INTERVAL);
                look(&mut console)?;
            }
        }
    }
    ensure!(!sampled.samples.is_empty(), "the machine was not sampled");
    Ok(sampled)
}

/// Asks for the registers of all processors.
fn look(console: &mut Console) -> Result<()> {
    console.monitor("info registers -a")
}
