// SPDX-License-Identifier: GPL-2.0

//! Failing allocations: one in a call of a task; and in some runs one in fifty of those with the
//! stack's code in their call chain, those of softirqs included.

use std::fs;

use anyhow::{Context, Result, ensure};

const FOLDERS: [&str; 2] = [
    "/sys/kernel/debug/failslab",
    "/sys/kernel/debug/fail_page_alloc",
];

/// Failing memory, until this is dropped.
pub struct Faults(());

impl Faults {
    /// Lets allocations of all kinds fail, without a line of the log for each; optionally those of
    /// the stack, in all tasks.
    pub fn begin(of_stack: bool) -> Result<Self> {
        let this = Self(());
        for (name, value) in [
            ("ignore-gfp-wait", "N"),
            ("verbose", "0"),
            ("stacktrace-depth", "32"),
        ] {
            set(name, value).context("the kernel has no fault injection")?;
        }
        fs::write("/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N")?;
        fs::write("/sys/kernel/debug/fail_page_alloc/min-order", "0")?;
        if of_stack {
            let (start, end) = code()?;
            set("require-start", &format!("{start:#x}"))?;
            set("require-end", &format!("{end:#x}"))?;
            set("times", "-1")?;
            // In percent. Making an interface has some fifty allocations.
            set("probability", "2")?;
        }
        Ok(this)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        for (name, value) in [
            ("probability", "0"),
            ("require-start", "0"),
            ("require-end", "0xffffffffffffffff"),
        ] {
            if let Err(error) = set(name, value) {
                println!("memory goes on failing: {error:#}");
            }
        }
    }
}

fn set(name: &str, value: &str) -> Result<()> {
    for folder in FOLDERS {
        let path = format!("{folder}/{name}");
        fs::write(&path, value).with_context(|| path)?;
    }
    Ok(())
}

/// Returns the address range of the stack's module, with a page for the last function.
fn code() -> Result<(u64, u64)> {
    let mut addresses = Vec::new();
    for line in fs::read_to_string("/proc/kallsyms")?.lines() {
        let mut words = line.split_whitespace();
        let (Some(address), Some("t" | "T")) = (words.next(), words.next()) else {
            continue;
        };
        if words.nth(1) == Some("[caif]") {
            addresses.push(u64::from_str_radix(address, 16)?);
        }
    }
    let (start, last) = (addresses.iter().min(), addresses.iter().max());
    let (start, last) = start.zip(last).context("no stack in /proc/kallsyms")?;
    ensure!(*start > 0, "/proc/kallsyms does not tell addresses");
    Ok((*start, last + 4096))
}
