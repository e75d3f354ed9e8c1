// SPDX-License-Identifier: GPL-2.0

//! Memory that nothing points to any more, found by the kernel's kmemleak.

use anyhow::{Result, ensure};

use crate::guest::Guest;

const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
/// Begins each report of kmemleak.
const REPORT: &str = "unreferenced object ";
/// Modules of the original CAIF stack, which loses memory of its own when a link goes.
const OTHERS: &[&str] = &["caif", "caif_socket", "chnl_net"];

/// Looks for memory that leaked, where the kernel can. The original CAIF stack's own does not count,
/// as long as it is loaded: the kernel does not name functions of modules that are not.
pub fn scan(guest: &mut Guest) -> Result<()> {
    if guest.run(&format!("[ -e {KMEMLEAK} ]"))?.status != 0 {
        return Ok(());
    }
    // Memory counts as leaked when a scan finds no pointer to what an earlier one did not find
    // either, and when it is older than five seconds; the kernel crate's own needs five scans.
    // Writing fails where the kernel has given up looking for leaks.
    let found = guest
        .start_for(
            &format!(
                "sleep 5; for i in 1 2 3 4 5 6; do echo scan >{KMEMLEAK} || exit; done; \
                 cat {KMEMLEAK}"
            ),
            600,
        )?
        .ok()?;
    let ours = ours(&found);
    ensure!(ours.is_empty(), "memory leaked:\n{}", ours.join("\n"));
    Ok(())
}

/// The reports of memory that was not allocated by the original CAIF stack.
fn ours(found: &str) -> Vec<String> {
    let mut reports: Vec<String> = Vec::new();
    for line in found.lines() {
        match reports.last_mut() {
            Some(report) if !line.starts_with(REPORT) => {
                report.push('\n');
                report.push_str(line);
            }
            _ => reports.push(line.to_owned()),
        }
    }
    reports.retain(|report| !allocator(report).is_some_and(|module| OTHERS.contains(&module)));
    reports
}

/// The module whose function, innermost of all modules', allocated the memory, if it has a name.
fn allocator(report: &str) -> Option<&str> {
    for frame in report.lines().map(str::trim) {
        if let Some((_, module)) = frame.strip_suffix(']').and_then(|f| f.rsplit_once(" [")) {
            return Some(module);
        }
        // The function of a module that is gone.
        if frame.starts_with("0x") {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::ours;

    #[test]
    fn only_the_original_stack_is_excused() {
        let report = |function: &str, caller: &str| {
            format!(
                "unreferenced object 0xffff888005c7bd00 (size 192):\n  comm \"softirq\", pid 0\n  \
                 backtrace (crc 28041449):\n    kmalloc_noprof+0x255/0x3e0\n    {function}\n    \
                 {caller}\n    handle_softirqs+0x1ac/0x5c0\n"
            )
        };
        let theirs = report(
            "cfdgml_create+0x2b/0x90 [caif]",
            "poll+0xa5/0x120 [caif_virtio]",
        );
        let mine = report("fill+0x2b/0x90 [caif_virtio]", "open+0x1/0x2 [caif]");
        let gone = report("0xffffffffa0006eab", "cfdgml_create+0x2b/0x90 [caif]");
        let unknown = report("idr_alloc+0x1/0x2", "kthread+0x1/0x2");
        assert_eq!(ours(""), Vec::<String>::new());
        assert_eq!(ours(&theirs), Vec::<String>::new());
        assert_eq!(
            ours(&[theirs.as_str(), &mine, &theirs, &gone, &unknown].concat()),
            [mine.trim_end(), gone.trim_end(), unknown.trim_end()]
        );
        assert_eq!(ours("what is this\n"), ["what is this"]);
    }
}
