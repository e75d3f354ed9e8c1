// SPDX-License-Identifier: GPL-2.0

//! Copies of the checkout, into which faults are put.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::symlink,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// Returns the files of a checkout, those that git ignores aside, in the order of their bytes.
pub fn files(top: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(top)
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start git")?;
    ensure!(
        output.status.success(),
        "git does not list the files of {}",
        top.display()
    );
    let names = output.stdout.split(|byte| *byte == 0);
    let names = names.filter(|name| !name.is_empty());
    let files = names.map(|name| PathBuf::from(std::ffi::OsString::from_vec(name.to_vec())));
    // Not those that are deleted, nor links to folders.
    let mut files: Vec<_> = files.filter(|file| top.join(file).is_file()).collect();
    files.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    files.dedup();
    Ok(files)
}

/// Makes a copy equal to these files of a folder. A file that differs gets the present time, as objects
/// of a mutant are newer than the source.
pub fn restore(from: &Path, files: &[PathBuf], copy: &Path) -> Result<()> {
    fs::create_dir_all(copy)?;
    let wanted: BTreeSet<_> = files.iter().map(PathBuf::as_path).collect();
    sweep(copy, copy, &wanted)?;
    for file in files {
        let (source, target) = (from.join(file), copy.join(file));
        equal(&source, &target).with_context(|| format!("cannot copy {}", source.display()))?;
    }
    Ok(())
}

/// Deletes what is not wanted of a folder of the copy, empty folders included: a folder of modem/ is a
/// member of the workspace. Returns whether nothing is left.
fn sweep(copy: &Path, folder: &Path, wanted: &BTreeSet<&Path>) -> Result<bool> {
    let mut empty = true;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let path = entry.path();
        let gone = if entry.file_type()?.is_dir() {
            let gone = sweep(copy, &path, wanted)?;
            if gone {
                fs::remove_dir(&path)?;
            }
            gone
        } else {
            let gone = !path
                .strip_prefix(copy)
                .is_ok_and(|file| wanted.contains(file));
            if gone {
                fs::remove_file(&path)?;
            }
            gone
        };
        empty &= gone;
    }
    Ok(empty)
}

/// Makes a file, or symbolic link, equal to another.
fn equal(source: &Path, target: &Path) -> Result<()> {
    let meta = fs::symlink_metadata(source)?;
    if let Ok(there) = fs::symlink_metadata(target) {
        let same = there.file_type() == meta.file_type()
            && match meta.is_symlink() {
                true => fs::read_link(source)? == fs::read_link(target)?,
                false => fs::read(source)? == fs::read(target)?,
            };
        if same && there.permissions() == meta.permissions() {
            return Ok(());
        }
        if same {
            return Ok(fs::set_permissions(target, meta.permissions())?);
        }
        match there.is_dir() {
            true => fs::remove_dir_all(target)?,
            false => fs::remove_file(target)?,
        }
    } else if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    match meta.is_symlink() {
        true => symlink(fs::read_link(source)?, target)?,
        false => drop(fs::copy(source, target)?),
    }
    Ok(())
}

/// Puts a fault into a copy, without fuzz. Returns whether the patch applies; what patch says goes to the
/// log. A trial changes nothing.
pub fn apply(copy: &Path, patch: &[u8], log: &Path, trial: bool) -> Result<bool> {
    let log = File::create(log).with_context(|| log.display().to_string())?;
    let mut command = Command::new("patch");
    command.arg("-d").arg(copy);
    command.args(["-p1", "--forward", "--batch", "--silent", "--fuzz=0"]);
    command.args(["--no-backup-if-mismatch", "-r", "-"]);
    if trial {
        command.arg("--dry-run");
    }
    command
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log);
    let mut child = command.spawn().context("cannot start patch")?;
    if let Some(mut pipe) = child.stdin.take() {
        // One that is refused may not be read to its end.
        let _ = pipe.write_all(patch);
    }
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::{apply, files, restore};
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, symlink},
        path::{Path, PathBuf},
        process::Command,
        time::{Duration, SystemTime},
    };

    const PATCH: &[u8] =
        b"Fault: x\n\n--- a/dir/b\n+++ b/dir/b\n@@ -1,2 +1,2 @@\n-one\n+two\n same\n";

    fn checkout() -> (tempfile::TempDir, Vec<PathBuf>) {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        let status = Command::new("git")
            .arg("-C")
            .arg(top)
            .args(["init", "--quiet"])
            .status();
        assert!(status.unwrap().success());
        fs::create_dir_all(top.join("dir/deep")).unwrap();
        for (name, text) in [
            ("dir-a", "a"),
            ("dir/b", "one\nsame\n"),
            ("dir/deep/c", "c"),
            ("ignored", ""),
        ] {
            fs::write(top.join(name), text).unwrap();
        }
        fs::write(top.join(".gitignore"), "ignored\n").unwrap();
        fs::set_permissions(top.join("dir-a"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("b", top.join("dir/link")).unwrap();
        symlink("dir", top.join("folder")).unwrap();
        symlink("nothing", top.join("dangling")).unwrap();
        let files = files(top).unwrap();
        (dir, files)
    }

    /// Returns what is in a folder: the names, in order, each with its content.
    fn content(top: &Path) -> Vec<String> {
        let find = Command::new("find")
            .current_dir(top)
            .args([".", "-printf", "%P %m %l\n"])
            .output();
        let text = String::from_utf8(find.unwrap().stdout).unwrap();
        let mut lines: Vec<_> = text
            .lines()
            .map(|line| {
                let path = top.join(line.split(' ').next().unwrap_or_default());
                let text = fs::read_to_string(path).unwrap_or_default();
                format!("{line} {text}")
            })
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_files_are_those_that_git_does_not_ignore() {
        let (_dir, files) = checkout();
        // By their bytes, as sort does.
        let names = [".gitignore", "dir-a", "dir/b", "dir/deep/c", "dir/link"];
        assert_eq!(files, names.map(PathBuf::from));
    }

    #[test]
    fn a_copy_is_made_equal_whatever_became_of_it() {
        let (dir, files) = checkout();
        let work = tempfile::tempdir().unwrap();
        let copy = work.path().join("copy");
        restore(dir.path(), &files, &copy).unwrap();
        let before = content(&copy);
        assert_eq!(before.len(), 8, "{before:?}");

        fs::write(copy.join("dir/b"), "other").unwrap();
        fs::set_permissions(copy.join("dir-a"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::remove_file(copy.join("dir/link")).unwrap();
        fs::write(copy.join("dir/link"), "file").unwrap();
        fs::remove_dir_all(copy.join("dir/deep")).unwrap();
        fs::write(copy.join("dir/deep"), "file").unwrap();
        fs::create_dir_all(copy.join("more/empty")).unwrap();
        fs::create_dir_all(copy.join("modem/x")).unwrap();
        fs::write(copy.join("modem/x/Cargo.toml"), "").unwrap();
        restore(dir.path(), &files, &copy).unwrap();
        assert_eq!(content(&copy), before);
    }

    #[test]
    fn only_what_differs_is_written() {
        let (dir, files) = checkout();
        let work = tempfile::tempdir().unwrap();
        let copy = work.path().join("copy");
        restore(dir.path(), &files, &copy).unwrap();
        let old = SystemTime::now() - Duration::from_secs(1000);
        let times = |copy: &Path| {
            ["dir/b", "dir/deep/c"]
                .map(|file| fs::metadata(copy.join(file)).unwrap().modified().unwrap())
        };
        fs::write(copy.join("dir/b"), "mutant").unwrap();
        for file in ["dir/b", "dir/deep/c"] {
            let file = fs::File::options()
                .write(true)
                .open(copy.join(file))
                .unwrap();
            file.set_modified(old).unwrap();
        }
        restore(dir.path(), &files, &copy).unwrap();
        let [written, kept] = times(&copy);
        assert!(written > old);
        assert_eq!(kept, old);
    }

    #[test]
    fn a_patch_applies_without_fuzz_or_not_at_all() {
        let (dir, _) = checkout();
        let log = dir.path().join("log");
        let text = || fs::read_to_string(dir.path().join("dir/b")).unwrap();
        let put = |trial| apply(dir.path(), PATCH, &log, trial).unwrap();
        assert!(put(true));
        assert_eq!(text(), "one\nsame\n");
        assert!(put(false));
        assert_eq!(text(), "two\nsame\n");
        assert!(!put(true) && !put(false));
        fs::write(dir.path().join("dir/b"), "one\nother\n").unwrap();
        assert!(!put(false));
        assert_eq!(text(), "one\nother\n");
        assert!(fs::read_to_string(&log).unwrap().contains("FAILED"));
    }
}
