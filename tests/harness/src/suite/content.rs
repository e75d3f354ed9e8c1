// SPDX-License-Identifier: GPL-2.0

//! A fingerprint of the sources: the same for the same content, committed or not.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};

/// Returns the hash of the files of the checkout that the pathspecs of git name (all if there are
/// none, those that git ignores aside) and of the compiler's version.
pub fn of(top: &Path, pathspecs: &[&str]) -> Result<String> {
    let dir = tempfile::tempdir()?;
    let objects =
        say(Command::new("git")
            .current_dir(top)
            .args(["rev-parse", "--git-path", "objects"]))?;
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(top).args(args);
        // Neither the index nor the objects of the checkout are changed.
        command.env("GIT_INDEX_FILE", dir.path().join("index"));
        command.env("GIT_OBJECT_DIRECTORY", dir.path());
        command.env("GIT_ALTERNATE_OBJECT_DIRECTORIES", top.join(&objects));
        say(&mut command)
    };
    git(&[&["add", "--all", "--", "."], pathspecs].concat())?;
    let tree = git(&["write-tree"])?;
    let rustc = say(Command::new("rustc").arg("--version"))?;
    Ok(format!("{tree}, {rustc}"))
}

fn say(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    fn git(dir: &Path, args: &[&str]) {
        let status = Command::new("git").current_dir(dir).args(args).status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn the_name_is_of_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path();
        git(top, &["init", "--quiet"]);
        let write = |name: &str, text: &str| std::fs::write(top.join(name), text).unwrap();
        write(".gitignore", "ignored\n");
        write("a", "1\n");
        let first = super::of(top, &[]).unwrap();
        write("ignored", "x\n");
        git(top, &["add", "a"]);
        let same = super::of(top, &[]).unwrap();
        assert_eq!(first, same);
        write("a", "2\n");
        let changed = super::of(top, &[]).unwrap();
        write("a", "1\n");
        write("b", "");
        let added = super::of(top, &[]).unwrap();
        let part = super::of(top, &[":!b"]).unwrap();
        std::fs::remove_file(top.join("b")).unwrap();
        assert_eq!(part, super::of(top, &[":!b"]).unwrap());
        write("b", "");
        assert!(first != changed && first != added && changed != added);
        // All that is left behind is what git had before.
        let status = Command::new("git")
            .current_dir(top)
            .args(["status", "--short"])
            .output();
        let status = String::from_utf8(status.unwrap().stdout).unwrap();
        assert_eq!(status, "A  a\n?? .gitignore\n?? b\n");
    }
}
