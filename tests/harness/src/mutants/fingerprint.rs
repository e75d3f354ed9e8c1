// SPDX-License-Identifier: GPL-2.0

//! What the result of a mutant depends on, as a key that is the same for the same content.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::{
    patch::{Mutant, Spec},
    suites::Suite,
};

/// Folders whose files no suite reads. This program only names what fails.
const NOBODY: [&str; 9] = [
    "Documentation/firmware",
    "Documentation/devicetree",
    "Documentation/pictures",
    "LICENSES",
    "bench",
    "scripts/check",
    "tests/harness/src/mutants",
    "tests/mutants",
    "tests/scripts",
];
/// Files that no suite reads, beside those whose names end in .md or begin with a dot.
const NOBODYS: [&str; 11] = [
    "scripts/check",
    "scripts/clean",
    "scripts/demo",
    "scripts/docs",
    "scripts/install",
    "scripts/into-tree",
    "scripts/format-series",
    "tests/harness/src/bin/in-lanes.rs",
    "tests/harness/src/bin/mutant-tests.rs",
    "Makefile",
    "REUSE.toml",
];
/// Folders that are read by the suites that say so.
const SHARED: [&str; 3] = ["tests", "modem", "tools"];

/// The keys of mutants, for one copy without a fault.
pub struct Fingerprints {
    kernel: String,
    /// The files that suites read, each with its line of sha256sum.
    sums: Vec<(PathBuf, Vec<u8>)>,
    /// The sources of the suites of KUnit.
    kunit: Vec<(PathBuf, String)>,
    /// Hashes of the files that are left of `sums` for a set of folders and without some files.
    known: BTreeMap<(Vec<&'static str>, Vec<PathBuf>), String>,
}

impl Fingerprints {
    /// Reads the files of a copy.
    pub fn new(kernel: &str, tree: &Path, files: &[PathBuf]) -> Result<Self> {
        let read: Vec<_> = files.iter().filter(|file| !is_nobodys(file)).collect();
        let mut sums = Vec::new();
        for some in read.chunks(500) {
            let mut command = Command::new("sha256sum");
            command.current_dir(tree).arg("--").args(some);
            let text = say(&mut command, b"")?;
            let lines: Vec<_> = text.split_inclusive(|byte| *byte == b'\n').collect();
            ensure!(lines.len() == some.len(), "sha256sum left a file out");
            let pairs = some.iter().zip(lines);
            sums.extend(pairs.map(|(file, line)| ((*file).clone(), line.to_vec())));
        }
        let mut kunit = Vec::new();
        for file in files.iter().filter(|file| is_kunit_suite(file)) {
            let path = tree.join(file);
            let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
            kunit.push((file.clone(), String::from_utf8_lossy(&text).into_owned()));
        }
        Ok(Self {
            kernel: kernel.to_owned(),
            sums,
            kunit,
            known: BTreeMap::new(),
        })
    }

    /// Returns the key of a mutant: the hash of the patch, the kernel's name, the sources of the
    /// modules and of the rings, and those of the suites that its header names.
    pub fn key(&mut self, mutant: &Mutant) -> Result<String> {
        let suites: BTreeSet<_> = mutant.specs.iter().map(|spec| spec.suite).collect();
        let mut folders: Vec<_> = suites
            .iter()
            .flat_map(|suite| suite.reads())
            .copied()
            .collect();
        folders.sort_unstable();
        folders.dedup();
        let others = self.other_suites(&mutant.specs);
        let of = (folders, others);
        let sum = match self.known.get(&of) {
            Some(sum) => sum,
            None => {
                let sum = sha256(&self.lines(&of.0, &of.1))?;
                self.known.entry(of).or_insert(sum)
            }
        };
        // The line of sha256sum for what it reads from a pipe.
        let mut all = format!("{} {sum}  -\n", self.kernel).into_bytes();
        all.extend(&mutant.patch);
        sha256(&all)
    }

    /// Returns the lines of the files of these folders, and of those that are of no suite.
    fn lines(&self, folders: &[&str], others: &[PathBuf]) -> Vec<u8> {
        let lines = self.sums.iter().filter(|(file, _)| {
            let shared = SHARED.iter().any(|folder| is_in(file, folder));
            let read = !shared || folders.iter().any(|folder| is_in(file, folder));
            read && !others.contains(file)
        });
        lines.flat_map(|(_, line)| line).copied().collect()
    }

    /// Returns the files of the suites of KUnit of which a header names no case, if it names cases
    /// only: these are compiled, but not run.
    fn other_suites(&self, specs: &[Spec]) -> Vec<PathBuf> {
        let kunit = specs.iter().filter(|spec| spec.suite == Suite::Kunit);
        let named: BTreeSet<_> = kunit.map(kunit_suite).collect();
        if named.is_empty() || named.contains("") {
            return Vec::new();
        }
        let has_one = |text: &str| {
            let mut calls = named.iter().map(|name| format!("kunit_tests({name})"));
            calls.any(|call| text.contains(&call))
        };
        let others = self.kunit.iter().filter(|(_, text)| !has_one(text));
        others.map(|(file, _)| file.clone()).collect()
    }
}

/// Returns the suite of KUnit that is named, or nothing for all.
fn kunit_suite(spec: &Spec) -> &str {
    let name = spec.filter.first().map(String::as_str).unwrap_or_default();
    let is_part = |char: char| char.is_ascii_lowercase() || char == '_';
    name.split(|char| !is_part(char)).next().unwrap_or_default()
}

fn is_kunit_suite(file: &Path) -> bool {
    let name = file.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    file.parent() == Some(Path::new("tests/kunit"))
        && name.starts_with(b"suite_")
        && name.ends_with(b".rs")
}

/// Whether no suite reads a file.
fn is_nobodys(file: &Path) -> bool {
    let name = file.as_os_str().as_bytes();
    name.starts_with(b".")
        || name.ends_with(b".md")
        || NOBODYS.iter().any(|other| file == Path::new(other))
        || NOBODY.iter().any(|folder| is_in(file, folder))
}

/// Whether a file is in a folder.
fn is_in(file: &Path, folder: &str) -> bool {
    file.strip_prefix(folder)
        .is_ok_and(|rest| rest != Path::new(""))
}

fn sha256(bytes: &[u8]) -> Result<String> {
    let line = say(&mut Command::new("sha256sum"), bytes)?;
    let line = String::from_utf8_lossy(&line);
    let sum = line.split(' ').next().unwrap_or_default();
    ensure!(sum.len() == 64, "sha256sum says: {line}");
    Ok(sum.to_owned())
}

/// Returns what a command prints that reads all of its input first.
fn say(command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::{Fingerprints, Mutant};
    use std::{fs, path::Path};

    const FILES: [&str; 18] = [
        ".gitignore",
        "Makefile",
        "README.md",
        "bench/j.rs",
        "caif/a.rs",
        "modem/link/b.rs",
        "modem/ring/c.rs",
        "scripts/check",
        "scripts/modules",
        "tests/harness/src/bin/mutant-tests.rs",
        "tests/harness/src/guest.rs",
        "tests/harness/src/mutants/mod.rs",
        "tests/host/d.rs",
        "tests/kunit/suite_e.rs",
        "tests/kunit/suite_f.rs",
        "tests/loom/g.rs",
        "tests/mutants/h.patch",
        "tools/i.rs",
    ];

    fn write(top: &Path, file: &str, text: &str) {
        let path = top.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Makes a tree in which each file has its own name, and the suites of KUnit their calls.
    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in FILES {
            write(dir.path(), file, &format!("{file}\n"));
        }
        for name in ["e", "f"] {
            let file = format!("tests/kunit/suite_{name}.rs");
            write(dir.path(), &file, &format!("#[kunit_tests(caif_{name})]\n"));
        }
        dir
    }

    fn key(top: &Path, kernel: &str, header: &str) -> String {
        let mutant = Mutant::parse("name", header.into()).unwrap();
        let files = FILES.map(Into::into);
        let mut fingerprints = Fingerprints::new(kernel, top, &files).unwrap();
        fingerprints.key(&mutant).unwrap()
    }

    /// Returns the files with whose content the key of a patch changes.
    fn read_by(header: &str) -> Vec<&'static str> {
        let dir = tree();
        let before = key(dir.path(), "san", header);
        let changes = |file: &&'static str| {
            let text = fs::read_to_string(dir.path().join(file)).unwrap();
            write(dir.path(), file, &format!("{text}more\n"));
            let changed = key(dir.path(), "san", header) != before;
            write(dir.path(), file, &text);
            changed
        };
        FILES.into_iter().filter(changes).collect()
    }

    #[test]
    fn a_key_is_of_what_its_suites_read() {
        let always = ["caif/a.rs", "scripts/modules"];
        let with = |more: &[&'static str]| {
            let mut files = [&always, more].concat();
            files.sort_unstable();
            files
        };
        let modem = ["modem/link/b.rs", "modem/ring/c.rs"];
        let (e, f) = ("tests/kunit/suite_e.rs", "tests/kunit/suite_f.rs");
        assert_eq!(read_by("Suite: modeminit\n"), with(&["tools/i.rs"]));
        assert_eq!(
            read_by("Suite: host\n"),
            with(&[&modem[..], &["tests/host/d.rs"]].concat())
        );
        let kunit = ["modem/ring/c.rs", "tests/harness/src/guest.rs"];
        let with_kunit = |more: &[&'static str]| with(&[&kunit, more].concat());
        assert_eq!(read_by("Suite: kunit\n"), with_kunit(&[e, f]));
        assert_eq!(read_by("Suite: kunit caif_e.a\n"), with_kunit(&[e]));
        let both = "Suite: kunit caif_e.a\nSuite: kunit caif_f\n";
        assert_eq!(read_by(both), with_kunit(&[e, f]));
        let all = "Suite: kunit caif_e.a\nSuite: kunit\nSuite: modeminit\n";
        assert_eq!(read_by(all), with_kunit(&[e, f, "tools/i.rs"]));
    }

    #[test]
    fn a_key_is_of_the_patch_and_of_the_kernel() {
        let dir = tree();
        let key = |kernel, header| key(dir.path(), kernel, header);
        let one = key("san", "Suite: host\n");
        assert_eq!(one, key("san", "Suite: host\n"));
        assert_ne!(one, key("test", "Suite: host\n"));
        assert_ne!(one, key("san", "Suite: host\n\n"));
    }

    #[test]
    fn earlier_versions_made_the_same_keys() {
        // By sha256sum of the five files, of its output, and of "san", that and the patch.
        let dir = tree();
        let expected = "b3a644a15b417bd132fd2593a6fbebb4bc577d34c6a9af062b0986f659cb08fc";
        assert_eq!(key(dir.path(), "san", "Suite: kunit caif_e\n"), expected);
    }
}
