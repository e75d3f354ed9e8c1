// SPDX-License-Identifier: GPL-2.0

//! The machine whose instructions QEMU logs.

use std::{ffi::OsString, fs, path::Path};

use anyhow::{Context, Result, bail};
use bench_report::{console::Console, symbols::is_function};

/// Runs the machine, and lets QEMU log each interrupt that its script announces to a file of the
/// folder `traces`. Returns the symbols that it printed, as in `/proc/kallsyms`.
pub fn trace(line: &[OsString], traces: &Path) -> Result<String> {
    if traces.exists() {
        fs::remove_dir_all(traces)?;
    }
    fs::create_dir_all(traces)?;
    let mut symbols = String::new();
    let mut console = Console::start(line)?;
    loop {
        let line = console.line()?;
        match line.strip_prefix("profile ") {
            Some("end") => return Ok(symbols),
            Some("done") => {
                console.monitor("log none")?;
                console.enter()?;
            }
            Some(what) => {
                let (driver, shape) = what.split_once(' ').with_context(|| line.clone())?;
                announce(driver, shape)?;
                let log = super::path(traces, driver, shape);
                console.monitor(&format!("logfile {}", log.display()))?;
                console.monitor("singlestep on")?;
                console.monitor("log exec,nochain")?;
                console.enter()?;
            }
            None if is_function(&line) => {
                symbols += &line;
                symbols.push('\n');
            }
            None => {}
        }
    }
}

/// Says what is traced.
fn announce(driver: &str, shape: &str) -> Result<()> {
    let numbers: Vec<_> = shape.split(',').collect();
    let [frames, chain, payload] = numbers[..] else {
        bail!("not a shape: {shape}");
    };
    eprintln!("==>   {driver}: {frames} frames of {payload} bytes, {chain} on a chain");
    Ok(())
}
