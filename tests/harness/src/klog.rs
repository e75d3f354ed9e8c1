// SPDX-License-Identifier: GPL-2.0

//! Finds complaints in a kernel's log.

use anyhow::{Result, ensure};

/// Lines with any of these fail the run. Each is the start of a report of a kernel checker.
const BAD: &[&str] = &[
    "WARNING:",
    "BUG:",
    "Oops",
    "Internal error:",
    "Unable to handle kernel",
    "panicked at",
    "Kernel panic",
    "general protection fault",
    "possible recursive locking",
    "possible circular locking",
    "inconsistent lock state",
    "lockdep",
    "Invalid wait context",
    "INFO: possible",
    "suspicious RCU usage",
    "scheduling while atomic",
    "bad: scheduling",
    "refcount_t",
    "corruption",
    "UBSAN",
    "KASAN",
    "KCSAN",
    "Cannot allocate a kmemleak_object",
    "DMA-API",
    "unregister_netdevice: waiting",
    "blocked for more than",
    "soft lockup",
    "ODEBUG",
    "NETDEV WATCHDOG",
    "symbol version for",
    "disagrees about version of",
    "Call Trace:",
    "Call trace:",
    "not ok ",
];

/// Lines with any of these are complaints, too, while only KUnit cases run.
const BAD_IN_TEST: &[&str] = &[
    "WARNING",
    "BUG",
    "INFO: ",
    "panic",
    "Unable to handle",
    "possible recursive",
    "possible circular",
    "inconsistent",
    "suspicious RCU",
    "while atomic",
    "sleeping function",
    "cannot create duplicate",
    "kmemleak",
];

/// Lines of the checkers that are no complaints.
const HARMLESS: &[&str] = &[
    "DMA-API: preallocated",
    "DMA-API: debugging enabled",
    "RCU lockdep checking is enabled",
];

/// Lines that are shown of a log that is cut.
const SHOWN: usize = 20;

/// Returns the lines that are complaints.
pub fn bad_lines(lines: &[String]) -> Vec<&str> {
    let lines = lines.iter().map(String::as_str);
    lines.filter(|line| is_bad(line)).collect()
}

/// Returns whether a line is a complaint, whatever runs.
pub fn is_bad(line: &str) -> bool {
    let has = |texts: &[&str]| texts.iter().any(|text| line.contains(text));
    has(BAD) && !has(HARMLESS)
}

/// Checks a log that goes from the boot to the line with which a machine's init ends, `end`.
pub fn check(log: &str, end: &str) -> Result<()> {
    let lines: Vec<_> = log.lines().collect();
    let bad: Vec<_> = lines.iter().copied().filter(|line| is_bad(line)).collect();
    ensure!(bad.is_empty(), "the kernel complains:\n{}", bad.join("\n"));
    let last = lines.get(lines.len().saturating_sub(SHOWN)..);
    ensure!(
        lines.iter().any(|line| line.contains(end)),
        "the kernel's log does not come to its end:\n{}",
        last.unwrap_or_default().join("\n")
    );
    Ok(())
}

/// Returns whether a line is a complaint in a run of KUnit cases.
pub fn is_bad_in_test(line: &str) -> bool {
    is_bad(line) || BAD_IN_TEST.iter().any(|text| line.contains(text))
}

#[cfg(test)]
mod tests {
    use super::{bad_lines, check};

    #[test]
    fn complaints_are_told_from_the_rest() {
        let lines = [
            "[    0.1] DMA-API: preallocated 65536 debug entries",
            "[    1.2] WARNING: CPU: 0 PID: 1 at lib/refcount.c:28",
            "[    1.3] caif_virtio virtio0: uplink: 256 slots of 4096 bytes",
            "[    1.4] BUG: KASAN: slab-use-after-free in poll",
            "[    1.5] caif_virtio virtio0 cfvrt0: NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out",
            "[    1.6] DMA-API: device driver frees DMA memory with different size",
            "[    1.7]     not ok 3 remove",
            "[    1.8] caif_virtio: no symbol version for netif_rx",
            "[    1.9] Internal error: synchronous external abort: 0000000096000210 [#1]  SMP",
        ]
        .map(str::to_owned);
        let bad: Vec<_> = [1, 3, 4, 5, 6, 7, 8].map(|i| lines[i].as_str()).into();
        assert_eq!(bad_lines(&lines), bad);
    }

    #[test]
    fn a_log_is_clean_and_whole() {
        let log = "[    0.1] Linux version 7.3\r\n[    9.9] init: the end\r\n";
        check(log, "init: the end").unwrap();
        let fails = |log: &str| check(log, "init: the end").unwrap_err().to_string();
        assert!(fails("").contains("does not come to its end"));
        assert!(fails("[    0.1] Linux version 7.3").ends_with("Linux version 7.3"));
        let bug = log.replace("version 7.3", "BUG: sleeping function called");
        assert!(fails(&bug).starts_with("the kernel complains:"));
    }
}
