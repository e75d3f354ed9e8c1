// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A symbolic link to a terminal, which is removed on drop.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// Where terminals are.
const TERMINALS: &str = "/dev/pts";

/// The link.
#[derive(Debug)]
pub struct LinkName {
    path: PathBuf,
    terminal: PathBuf,
}

impl LinkName {
    /// Makes the link, and replaces a stale one, but no other file.
    pub fn new(path: &Path, terminal: &Path) -> Result<Self> {
        match fs::read_link(path) {
            Ok(old) if old.starts_with(TERMINALS) => {}
            Ok(old) => bail!(
                "{} is a link to {}: choose another path",
                path.display(),
                old.display()
            ),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                bail!(
                    "{} exists and is no symbolic link: choose another path",
                    path.display()
                )
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot use {}", path.display()));
            }
        }
        // Atomic: other programs find the old one or the new one.
        let mut new = path.as_os_str().to_owned();
        new.push(format!(".{}", std::process::id()));
        symlink(terminal, &new)
            .and_then(|()| fs::rename(&new, path))
            .inspect_err(|_| drop(fs::remove_file(&new)))
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            terminal: terminal.to_owned(),
        })
    }
}

impl Drop for LinkName {
    fn drop(&mut self) {
        // It may belong to another program by now.
        if fs::read_link(&self.path).is_ok_and(|now| now == self.terminal) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_terminals_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("modem");
        symlink("/dev/pts/9999", &path).unwrap();
        let link = LinkName::new(&path, Path::new("/dev/pts/5")).unwrap();
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/pts/5"));
        drop(link);
        assert!(fs::read_link(&path).is_err());

        fs::write(&path, "text").unwrap();
        let error = LinkName::new(&path, Path::new("/dev/pts/5")).err().unwrap();
        assert!(error.to_string().contains("no symbolic link"), "{error}");
        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        let error = LinkName::new(&path, Path::new("/dev/pts/5")).err().unwrap();
        assert!(error.to_string().contains("/etc/passwd"), "{error}");
        let nowhere = dir.path().join("none/modem");
        assert!(LinkName::new(&nowhere, Path::new("/dev/pts/5")).is_err());
    }

    #[test]
    fn what_is_somebody_elses_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("modem");
        let first = LinkName::new(&path, Path::new("/dev/pts/5")).unwrap();
        let second = LinkName::new(&path, Path::new("/dev/pts/6")).unwrap();
        drop(first);
        assert_eq!(fs::read_link(&path).unwrap(), Path::new("/dev/pts/6"));
        drop(second);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
