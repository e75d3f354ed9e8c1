// SPDX-License-Identifier: GPL-2.0

//! The processes that descend from this one, by `/proc`.

use nix::unistd::Pid;

/// Returns the processes that descend from this one.
pub fn descendants() -> Vec<Pid> {
    let numbers = || {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
    };
    let stat = |pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let parents: Vec<_> = numbers()
        .filter_map(|pid| Some((pid, parent(&stat(pid)?)?)))
        .collect();
    let mut found = vec![Pid::this().as_raw()];
    let mut at = 0;
    while let Some(above) = found.get(at).copied() {
        let children = parents.iter().filter(|(_, parent)| *parent == above);
        found.extend(children.map(|(pid, _)| *pid));
        at += 1;
    }
    found.into_iter().skip(1).map(Pid::from_raw).collect()
}

/// Returns the parent of a process with this `/proc/PID/stat`, unless it has ended and only its
/// status is left.
fn parent(stat: &str) -> Option<i32> {
    let mut fields = fields(stat)?;
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}

/// Returns the fields of a `/proc/PID/stat` from the third on, which is the state.
pub(crate) fn fields(stat: &str) -> Option<impl Iterator<Item = &str>> {
    // The second field is the name in parentheses, which may have any characters.
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn the_parent_is_known_whatever_the_name() {
        assert_eq!(parent("7 (a) S 9) S 3 7 7 0"), Some(3));
        assert_eq!(parent("7 (a b) c) S 12 7 7 0 -1"), Some(12));
        assert_eq!(parent("7 (a) Z 3 7 7 0"), None);
        assert_eq!(parent("7 (a"), None);
    }
}
