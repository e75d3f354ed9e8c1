// SPDX-License-Identifier: GPL-2.0

//! What in a kernel log means that something is wrong.

/// Lines with any of these fail the run. Each is how some checker of the kernel begins.
const BAD: &[&str] = &[
    "WARNING:",
    "BUG:",
    "Oops",
    "panicked at",
    "Kernel panic",
    "general protection fault",
    "possible recursive locking",
    "possible circular locking",
    "inconsistent lock state",
    "lockdep",
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
    "Call Trace:",
    "not ok ",
];

/// What the checkers say when all is well.
const HARMLESS: &[&str] = &[
    "DMA-API: preallocated",
    "DMA-API: debugging enabled",
    "RCU lockdep checking is enabled",
];

pub fn bad_lines(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .map(String::as_str)
        .filter(|line| BAD.iter().any(|bad| line.contains(bad)))
        .filter(|line| !HARMLESS.iter().any(|fine| line.contains(fine)))
        .collect()
}
