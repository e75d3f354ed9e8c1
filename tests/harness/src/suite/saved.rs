// SPDX-License-Identifier: GPL-2.0

//! What an earlier run of the same sources has passed, so that another one goes on from there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::report::Row;

/// The parts that passed, kept in a file.
pub struct Saved {
    path: PathBuf,
    file: File,
}

#[derive(Deserialize, Serialize)]
struct File {
    /// What the sources were, see [`content`](super::content).
    content: String,
    passed: BTreeMap<String, Row>,
}

impl Saved {
    /// Starts over, and forgets an earlier run.
    pub fn new(path: &Path, content: &str) -> Self {
        Self {
            path: path.to_owned(),
            file: File {
                content: content.to_owned(),
                passed: BTreeMap::new(),
            },
        }
    }

    /// Goes on from an earlier run, if there was one of the same content.
    pub fn resume(path: &Path, content: &str) -> Self {
        let mut this = Self::new(path, content);
        // A file that cannot be read, or that another version wrote, is as good as none.
        let earlier = std::fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice::<File>(&bytes).ok());
        if let Some(file) = earlier.filter(|file| file.content == content) {
            this.file.passed = file.passed;
            this.file.passed.retain(|_, row| row.failed == 0);
        }
        this
    }

    /// What came of a part in the earlier run, if it passed.
    pub fn get(&self, part: &str) -> Option<Row> {
        let row = self.file.passed.get(part)?;
        Some(Row {
            earlier: true,
            ..row.clone()
        })
    }

    /// Notes that a part passed.
    pub fn add(&mut self, row: &Row) -> Result<()> {
        self.file.passed.insert(row.part.clone(), row.clone());
        let new = self.path.with_extension("new");
        let folder = self.path.parent().context("a file is in a folder")?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(&new, serde_json::to_vec_pretty(&self.file)?)?;
        // An interrupted write leaves the file as it was.
        std::fs::rename(&new, &self.path).with_context(|| self.path.display().to_string())
    }

    /// Removes the file: all parts have passed, and the next run is one of its own.
    pub fn clear(&self) {
        // There is none if no part has passed.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::{Row, Saved};

    #[test]
    fn parts_that_passed_are_known_to_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/all.json");
        let mut saved = Saved::resume(&path, "one");
        assert!(saved.get("host").is_none());
        saved.add(&Row::example("host", 12, 0)).unwrap();
        saved.add(&Row::example("vm", 3, 0)).unwrap();

        let saved = Saved::resume(&path, "one");
        let row = saved.get("host").unwrap();
        assert_eq!((row.passed, row.failed, row.earlier), (12, 0, true));
        assert!(saved.get("vm").is_some());
        assert!(saved.get("hostile").is_none());
    }

    #[test]
    fn other_sources_start_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        Saved::new(&path, "one")
            .add(&Row::example("host", 12, 0))
            .unwrap();
        assert!(Saved::resume(&path, "two").get("host").is_none());
        // What is saved then is of the new content only.
        Saved::resume(&path, "two")
            .add(&Row::example("vm", 3, 0))
            .unwrap();
        assert!(Saved::resume(&path, "two").get("host").is_none());
        assert!(Saved::resume(&path, "one").get("host").is_none());
    }

    #[test]
    fn a_failed_part_is_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        Saved::new(&path, "one")
            .add(&Row::example("host", 12, 1))
            .unwrap();
        assert!(Saved::resume(&path, "one").get("host").is_none());
    }

    #[test]
    fn a_file_that_is_none_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        for text in ["", "{", "{\"content\": \"one\"}", "[]"] {
            std::fs::write(&path, text).unwrap();
            assert!(Saved::resume(&path, "one").get("host").is_none(), "{text}");
        }
    }

    #[test]
    fn a_run_that_passed_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        let mut saved = Saved::new(&path, "one");
        saved.clear();
        saved.add(&Row::example("host", 12, 0)).unwrap();
        saved.clear();
        assert!(Saved::resume(&path, "one").get("host").is_none());
    }
}
