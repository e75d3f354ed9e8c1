// SPDX-License-Identifier: GPL-2.0

//! Parts that passed in an earlier run of the same sources, so that another run can resume.

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
    contents: Contents,
    file: File,
}

/// The fingerprint of the sources of each part, see [`content`](super::content).
pub type Contents = BTreeMap<&'static str, String>;

#[derive(Default, Deserialize, Serialize)]
struct File {
    passed: BTreeMap<String, Passed>,
}

#[derive(Deserialize, Serialize)]
struct Passed {
    /// The fingerprint of the part's sources.
    content: String,
    row: Row,
}

impl Saved {
    /// Resumes an earlier run, if there was one.
    pub fn resume(path: &Path, contents: Contents) -> Self {
        // A file that cannot be read, or that another version wrote, is ignored.
        let earlier = std::fs::read(path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            path: path.to_owned(),
            contents,
            file: earlier.unwrap_or_default(),
        }
    }

    /// Returns the result of a part in the earlier run, if it passed with the present sources.
    pub fn get(&self, part: &str) -> Option<Row> {
        let Passed { content, row } = self.file.passed.get(part)?;
        let same = self.contents.get(part) == Some(content) && row.failed == 0;
        same.then(|| Row {
            earlier: true,
            ..row.clone()
        })
    }

    /// Notes that a part passed, if the fingerprint of its sources is `now` what it was before.
    /// Returns whether it is.
    pub fn add(&mut self, row: &Row, now: &str) -> Result<bool> {
        let content = self.contents.get(row.part.as_str());
        let content = content.context("a part that was not chosen")?;
        if content != now {
            return Ok(false);
        }
        let passed = Passed {
            content: content.clone(),
            row: row.clone(),
        };
        self.file.passed.insert(row.part.clone(), passed);
        self.write().map(|()| true)
    }

    /// Forgets the chosen parts: all of them have passed, and the next run of them starts anew. Those
    /// of a run that is still to be resumed stay.
    pub fn end(&mut self) -> Result<()> {
        for part in self.contents.keys() {
            self.file.passed.remove(*part);
        }
        self.write()
    }

    fn write(&self) -> Result<()> {
        let new = self.path.with_extension("new");
        let folder = self.path.parent().context("a file is in a folder")?;
        std::fs::create_dir_all(folder)?;
        std::fs::write(&new, serde_json::to_vec_pretty(&self.file)?)?;
        // An interrupted write leaves the file as it was.
        std::fs::rename(&new, &self.path).with_context(|| self.path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Contents, Row, Saved};

    /// Resumes with these sources of `host` and of `vm`.
    fn resume(path: &Path, host: &str, vm: &str) -> Saved {
        let contents = Contents::from([("host", host.to_owned()), ("vm", vm.to_owned())]);
        Saved::resume(path, contents)
    }

    #[test]
    fn parts_that_passed_are_known_to_the_next_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state/all.json");
        let mut saved = resume(&path, "one", "two");
        assert!(saved.get("host").is_none());
        assert!(saved.add(&Row::example("host", 12, 0), "one").unwrap());
        assert!(saved.add(&Row::example("vm", 3, 0), "two").unwrap());

        let saved = resume(&path, "one", "two");
        let row = saved.get("host").unwrap();
        assert_eq!((row.passed, row.failed, row.earlier), (12, 0, true));
        assert!(saved.get("vm").is_some());
        assert!(saved.get("hostile").is_none());
    }

    #[test]
    fn a_part_whose_sources_are_others_is_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        let mut saved = resume(&path, "one", "two");
        assert!(saved.add(&Row::example("host", 12, 0), "one").unwrap());
        assert!(saved.add(&Row::example("vm", 3, 0), "two").unwrap());
        let mut saved = resume(&path, "other", "two");
        assert!(saved.get("host").is_none());
        assert!(saved.get("vm").is_some());
        // Results saved then are of the new content only.
        assert!(!saved.add(&Row::example("host", 13, 0), "one").unwrap());
        assert!(saved.add(&Row::example("host", 13, 0), "other").unwrap());
        assert!(resume(&path, "one", "two").get("host").is_none());
        assert_eq!(resume(&path, "other", "").get("host").unwrap().passed, 13);
    }

    #[test]
    fn a_failed_part_is_run_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        resume(&path, "one", "")
            .add(&Row::example("host", 12, 1), "one")
            .unwrap();
        assert!(resume(&path, "one", "").get("host").is_none());
    }

    #[test]
    fn a_file_that_is_none_starts_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        for text in ["", "{", "{\"content\": \"one\"}", "[]"] {
            std::fs::write(&path, text).unwrap();
            assert!(resume(&path, "one", "").get("host").is_none(), "{text}");
        }
    }

    #[test]
    fn a_run_that_passed_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        let mut saved = resume(&path, "one", "");
        saved.end().unwrap();
        saved.add(&Row::example("host", 12, 0), "one").unwrap();
        saved.end().unwrap();
        assert!(resume(&path, "one", "").get("host").is_none());
    }

    #[test]
    fn a_run_of_some_parts_leaves_what_is_known_of_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("all.json");
        resume(&path, "one", "two")
            .add(&Row::example("vm", 3, 0), "two")
            .unwrap();
        let mut some = Saved::resume(&path, Contents::from([("host", "one".to_owned())]));
        some.add(&Row::example("host", 12, 0), "one").unwrap();
        some.end().unwrap();
        let saved = resume(&path, "one", "two");
        assert!(saved.get("host").is_none());
        assert!(saved.get("vm").is_some());
    }
}
