// SPDX-License-Identifier: GPL-2.0

//! Where a lane builds and runs.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

/// Where a lane builds and runs: a copy of the checkout, and a cache that no other lane uses.
pub struct Workspace {
    pub tree: PathBuf,
    pub cache: PathBuf,
    /// The kernel of the suites that boot.
    pub kernel: String,
}

impl Workspace {
    /// Makes the cache of a lane, which shares what is fetched and built only once: no mutant gets into the
    /// cache of the checkout.
    pub fn new(work: &Path, number: usize, shared: &Path, kernel: &str) -> Result<Self> {
        let cache = work.join(format!("cache-{number}"));
        fs::create_dir_all(&cache)?;
        for entry in fs::read_dir(shared)? {
            let entry = entry?;
            let name = entry.file_name();
            let text = name.to_string_lossy();
            let begins = |start: &&str| text.starts_with(start);
            if ["linux-", "kernel-", "apt-"].iter().any(begins)
                || ["bindgen", "debs"].contains(&text.as_ref())
            {
                link(&entry.path(), &cache.join(&name))?;
            }
        }
        Ok(Self {
            tree: work.join(format!("tree-{number}")),
            cache,
            kernel: kernel.to_owned(),
        })
    }

    /// Returns a command that runs in the copy, with the cache of the lane.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.tree);
        command.env("CAIF_CHECKOUT", &self.tree);
        command.env("CAIF_CACHE", &self.cache);
        command.env("CARGO_TARGET_DIR", self.cache.join("target"));
        // What tests/mutants/run tells this program only.
        for name in ["CAIF_TOP", "CAIF_MUTANTS", "CAIF_TEST_KERNEL"] {
            command.env_remove(name);
        }
        command
    }

    pub fn script(&self, name: &str) -> Command {
        self.command(self.tree.join(name))
    }
}

/// Makes a symbolic link, in the place of an older one.
fn link(to: &Path, at: &Path) -> Result<()> {
    match fs::symlink_metadata(at) {
        Ok(there) if there.is_symlink() => fs::remove_file(at)?,
        Ok(_) => return Ok(()),
        Err(_) => {}
    }
    symlink(to, at).with_context(|| at.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::Workspace;
    use std::fs;

    #[test]
    fn a_lane_shares_what_is_fetched_and_the_kernels() {
        let dir = tempfile::tempdir().unwrap();
        let (shared, work) = (dir.path().join("shared"), dir.path().join("work"));
        for name in ["linux-7.3", "kernel-san", "debs", "target", "modules-san"] {
            fs::create_dir_all(shared.join(name)).unwrap();
        }
        fs::create_dir_all(work.join("cache-2/debs")).unwrap();
        std::os::unix::fs::symlink("gone", work.join("cache-2/kernel-san")).unwrap();
        let workspace = Workspace::new(&work, 2, &shared, "san").unwrap();
        let target = |name: &str| fs::read_link(workspace.cache.join(name)).ok();
        assert_eq!(workspace.cache, work.join("cache-2"));
        assert_eq!(target("linux-7.3"), Some(shared.join("linux-7.3")));
        assert_eq!(target("kernel-san"), Some(shared.join("kernel-san")));
        // What is there stays.
        assert!(workspace.cache.join("debs").is_dir() && target("debs").is_none());
        assert!(
            !workspace.cache.join("target").exists()
                && !workspace.cache.join("modules-san").exists()
        );
    }
}
