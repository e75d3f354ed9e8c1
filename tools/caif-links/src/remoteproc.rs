// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Remote processors, as sysfs shows them.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, Result};
use serde::Serialize;

/// A remote processor: a modem, or another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RemoteProc {
    /// Name of the processor below `/sys/class/remoteproc`.
    pub name: String,
    /// State of the processor, such as `running`.
    pub state: String,
    /// Name of the firmware file.
    pub firmware: String,
    /// Whether the kernel starts it again after a crash; `None` if the kernel does not say.
    pub recovery: Option<String>,
}

/// Returns all remote processors below `/sys`, by name.
pub fn all(sys: &Path) -> Result<Vec<RemoteProc>> {
    let class = sys.join("class/remoteproc");
    let entries = match fs::read_dir(&class) {
        Ok(entries) => entries,
        // The class is there once something has registered in it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{}", class.display())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("{}", class.display()))?;
        let attribute = |name: &str| {
            let text = fs::read_to_string(entry.path().join(name)).ok()?;
            Some(text.trim().to_owned())
        };
        // One that was just removed has no state any more.
        let Some(state) = attribute("state") else {
            continue;
        };
        found.push(RemoteProc {
            name: entry.file_name().to_string_lossy().into_owned(),
            state,
            firmware: attribute("firmware").unwrap_or_default(),
            recovery: attribute("recovery"),
        });
    }
    found.sort_by_key(|one| (one.name.len(), one.name.clone()));
    Ok(found)
}

/// Returns the remote processor that a network device belongs to.
pub fn of_netdev(sys: &Path, netdev: &str) -> Option<String> {
    let device = fs::canonicalize(sys.join("class/net").join(netdev).join("device")).ok()?;
    let mut above = device.ancestors().filter_map(Path::file_name);
    above.find_map(|name| {
        let name = name.to_str()?;
        let number = name.strip_prefix("remoteproc")?;
        let is_one = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
        is_one.then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn processors_and_their_links_are_found() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(all(sys.path()).unwrap(), []);
        let class = sys.path().join("class");
        let device = sys
            .path()
            .join("devices/remoteproc/remoteproc10/rproc-virtio.1.auto/virtio0");
        fs::create_dir_all(class.join("net/cfvrt0")).unwrap();
        fs::create_dir_all(class.join("net/lo")).unwrap();
        fs::create_dir_all(&device).unwrap();
        symlink(&device, class.join("net/cfvrt0/device")).unwrap();
        for (name, state) in [("remoteproc10", "running\n"), ("remoteproc2", "crashed\n")] {
            let dir = class.join("remoteproc").join(name);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("state"), state).unwrap();
            fs::write(dir.join("firmware"), "modem.elf\n").unwrap();
        }
        fs::create_dir_all(class.join("remoteproc/remoteproc3")).unwrap();
        fs::write(class.join("remoteproc/remoteproc2/recovery"), "enabled\n").unwrap();
        let found = all(sys.path()).unwrap();
        let wanted = [
            ("remoteproc2", "crashed", Some("enabled")),
            ("remoteproc10", "running", None),
        ]
        .map(|(name, state, recovery)| RemoteProc {
            name: name.into(),
            state: state.into(),
            firmware: "modem.elf".into(),
            recovery: recovery.map(str::to_owned),
        });
        assert_eq!(found, wanted);
        assert_eq!(
            of_netdev(sys.path(), "cfvrt0").as_deref(),
            Some("remoteproc10")
        );
        assert_eq!(of_netdev(sys.path(), "lo"), None);
        assert_eq!(of_netdev(sys.path(), "gone"), None);
    }
}
