// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The records of interfaces that belong to a port: files with the variables that udev's rule takes
//! over, named as the interfaces.
//!
//! An interface that was made for no certain link is recorded for each modem in turn: only the last
//! one's record is there.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

use super::serial::folder;

/// The records of a modem's interfaces.
#[derive(Debug)]
pub struct Records {
    folder: PathBuf,
    /// What is in a record of this modem, and of no other.
    text: String,
}

impl Records {
    pub fn new(folder: impl Into<PathBuf>, text: &str) -> Self {
        Self {
            folder: folder.into(),
            text: text.to_owned(),
        }
    }

    /// Makes records for these interfaces. Returns others that had one of this modem, which a caifctl
    /// that was killed has left: they are removed.
    pub fn claim(&self, names: &[String]) -> Result<Vec<String>> {
        let what = || format!("cannot use {}", self.folder.display());
        folder(&self.folder)?;
        let _lock = self.lock().with_context(what)?;
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.folder).with_context(what)? {
            let name = entry.with_context(what)?.file_name();
            let name = name.to_string_lossy().into_owned();
            if !names.contains(&name) && self.remove(&name) {
                left.push(name);
            }
        }
        for name in names {
            let file = self.folder.join(name);
            fs::write(&file, &self.text)
                .with_context(|| format!("cannot write to {}", file.display()))?;
        }
        Ok(left)
    }

    /// Removes the records of this modem among those of these interfaces. Returns whose they were.
    pub fn release<'a>(&self, names: &'a [String]) -> Vec<&'a String> {
        // Without the lock, a record that another writes just now may go.
        let _lock = self.lock();
        names.iter().filter(|name| self.remove(name)).collect()
    }

    /// Removes a record if it is of this modem. Returns whether it is gone by that.
    fn remove(&self, name: &str) -> bool {
        let file = self.folder.join(name);
        fs::read(&file).is_ok_and(|text| text == self.text.as_bytes())
            && fs::remove_file(&file).is_ok()
    }

    /// Waits until no other caifctl changes records.
    fn lock(&self) -> std::io::Result<Flock<File>> {
        let mut folder = File::open(&self.folder)?;
        loop {
            folder = match Flock::lock(folder, FlockArg::LockExclusive) {
                Ok(lock) => return Ok(lock),
                Err((folder, Errno::EINTR)) => folder,
                Err((_, error)) => return Err(error.into()),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Returns the interfaces that have a record, and what is in it.
    fn all(dir: &tempfile::TempDir) -> Vec<(String, String)> {
        let mut all: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let name = entry.file_name().into_string().unwrap();
                (name, fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        all.sort();
        all
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn what_another_modem_has_taken_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = Records::new(dir.path(), "first");
        let second = Records::new(dir.path(), "second");
        let of_first = names(&["caif0", "caif1"]);
        assert!(first.claim(&of_first).unwrap().is_empty());
        // caif0 was made for any link.
        let of_second = names(&["caif0", "caif2"]);
        assert!(second.claim(&of_second).unwrap().is_empty());
        assert_eq!(first.release(&of_first), ["caif1"]);
        assert_eq!(
            all(&dir),
            pairs(&[("caif0", "second"), ("caif2", "second")])
        );
        assert_eq!(second.release(&of_second), ["caif0", "caif2"]);
        assert!(all(&dir).is_empty());
    }

    #[test]
    fn what_a_killed_one_has_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let before = Records::new(dir.path(), "first");
        before.claim(&names(&["caif0", "caif1", "caif2"])).unwrap();
        let other = Records::new(dir.path(), "second");
        other.claim(&names(&["caif2"])).unwrap();
        let now = Records::new(dir.path(), "first");
        assert_eq!(now.claim(&names(&["caif1"])).unwrap(), ["caif0"]);
        assert_eq!(all(&dir), pairs(&[("caif1", "first"), ("caif2", "second")]));
    }

    #[test]
    fn a_folder_that_is_not_there_is_made() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::new(dir.path().join("a/b"), "first");
        assert!(records.release(&names(&["caif0"])).is_empty());
        records.claim(&names(&["caif0"])).unwrap();
        assert_eq!(records.release(&names(&["caif0"])), ["caif0"]);
    }
}
