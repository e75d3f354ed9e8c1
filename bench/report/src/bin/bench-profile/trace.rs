// SPDX-License-Identifier: GPL-2.0

//! Extracts the instructions of one interrupt from QEMU's log of all executed instructions.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result, bail};

use bench_report::symbols::{Symbols, View};

use crate::DRIVERS;

/// The functions at which the measured work begins and ends.
const BEGIN: &str = "bench_modem_interrupt_rx";
const END: &str = "bench_modem_rx_done";
/// Other interrupts, which disqualify a window of the log.
const TIMER: &str = "asm_sysvec_apic_timer_interrupt";
const DEVICE: &str = "asm_common_interrupt";

/// The instructions from an interrupt until all its frames were received.
#[derive(Default)]
pub struct Window {
    pub total: u64,
    pub functions: BTreeMap<String, u64>,
}

/// Returns the interrupt with the fewest instructions, among those without another interrupt.
pub fn shortest(path: &Path, symbols: &Symbols, driver: &str) -> Result<Window> {
    let drivers = DRIVERS.map(|(module, _)| module);
    let view = symbols.with(driver, &drivers);
    let log = BufReader::new(File::open(path).context("cannot open")?);
    let best = search(log, &view)?;
    best.context("no interrupt without another one in between")
}

fn search(log: impl BufRead, view: &View<'_>) -> Result<Option<Window>> {
    let mut best: Option<Window> = None;
    let mut now: Option<Window> = None;
    for line in log.split(b'\n') {
        let line = line?;
        let Some(address) = address(&line)? else {
            continue;
        };
        let Some((name, begins)) = view.find(address) else {
            continue;
        };
        match name {
            BEGIN if begins => now = Some(Window::default()),
            TIMER | DEVICE => now = None,
            END if begins => {
                if let Some(window) = now.take()
                    && best.as_ref().is_none_or(|best| window.total < best.total)
                {
                    best = Some(window);
                }
            }
            _ => {}
        }
        if let Some(window) = &mut now {
            window.total += 1;
            match window.functions.get_mut(name) {
                Some(count) => *count += 1,
                None => {
                    window.functions.insert(name.to_owned(), 1);
                }
            }
        }
    }
    Ok(best)
}

/// Parses the address in a line like `Trace 0: 0x7f.. [00../ffffffff810001c0/10c0c2b0/ff020201]`.
fn address(line: &[u8]) -> Result<Option<u64>> {
    let Ok(line) = str::from_utf8(line) else {
        bail!("a line that is no text");
    };
    if !line.starts_with("Trace ") {
        return Ok(None);
    }
    let address = line
        .split('/')
        .nth(1)
        .and_then(|word| u64::from_str_radix(word, 16).ok());
    match address {
        Some(address) => Ok(Some(address)),
        None => bail!("not as QEMU writes it: {line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(address: u64) -> String {
        format!("Trace 0: 0x7ff06c000100 [0000000000000000/{address:016x}/10c0c2b0/ff020201] \n")
    }

    /// Returns the window of a log of functions, which are at 0x1000, 0x2000 and so on.
    fn window(names: &[&str]) -> Option<Window> {
        let all = [BEGIN, END, TIMER, "kfree"];
        let map: String = (1..)
            .zip(all)
            .map(|(i, name)| format!("{:x} T {name}\n", i * 0x1000))
            .collect();
        let symbols = Symbols::parse(&map, "ffffffffa0000000 t poll\t[one]\n").unwrap();
        let log: String = names
            .iter()
            .map(|name| {
                let at = all.iter().position(|other| other == name).unwrap() as u64 + 1;
                line(at * 0x1000)
            })
            .collect();
        search(log.as_bytes(), &symbols.with("one", &[])).unwrap()
    }

    #[test]
    fn from_the_interrupt_to_the_end() {
        let window = window(&["kfree", BEGIN, "kfree", "kfree", END, "kfree"]).unwrap();
        assert_eq!(window.total, 3);
        assert_eq!(window.functions["kfree"], 2);
    }

    #[test]
    fn the_shortest_window_is_taken() {
        let window = window(&[BEGIN, "kfree", "kfree", END, BEGIN, "kfree", END]).unwrap();
        assert_eq!(window.total, 2);
    }

    #[test]
    fn a_window_with_a_timer_is_skipped() {
        assert!(window(&[BEGIN, TIMER, "kfree", END]).is_none());
    }

    #[test]
    fn a_window_without_an_end_is_skipped() {
        assert!(window(&[BEGIN, "kfree"]).is_none());
    }

    #[test]
    fn other_lines() {
        assert_eq!(address(b"(qemu) log none").unwrap(), None);
        assert!(address(b"Trace 0: nonsense").is_err());
    }
}
