// SPDX-License-Identifier: GPL-2.0

//! Whole runs, on a checkout whose suites are short scripts.

use super::{MutantReport, Options, patch::Mutant, run, supervise::Supervisor};
use nix::{
    sys::{signal::Signal, stat::Mode},
    unistd::mkfifo,
};
use std::{
    fs::{self, File},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::Duration,
};

/// Fails at a fault, and notes each run in the cache of its lane.
const KUNIT: &str = r#"
echo "$*" >>"$CAIF_CACHE/../ran"
! grep -q fault "$(dirname "$0")/../../code" || { echo 'FAIL  caif_a.b' && echo '0 passed, 1 failed' && exit 1; }
echo '1 passed, 0 failed'
"#;

struct Checkout(tempfile::TempDir);

impl Checkout {
    /// Makes a checkout with this script as the suite of KUnit.
    fn new(kunit: &str) -> Self {
        let checkout = Self(tempfile::tempdir().unwrap());
        let git = Command::new("git")
            .arg("init")
            .arg("--quiet")
            .arg(checkout.path("top"))
            .status();
        assert!(git.unwrap().success());
        fs::create_dir(checkout.path("cache")).unwrap();
        checkout.write("code", "code\n");
        checkout.write("tests/kunit/suite_a.rs", "#[kunit_tests(caif_a)]\n");
        checkout.script(
            "scripts/modules",
            "! grep syntax \"$(dirname \"$0\")/../code\"",
        );
        checkout.script("tests/kunit/run", kunit);
        checkout
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path("top").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn script(&self, file: &str, text: &str) {
        self.write(file, &format!("#!/bin/sh\n{text}\n"));
        let path = self.path("top").join(file);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn run_with(
        &self,
        mutants: &[Mutant],
        resume: bool,
        supervisor: &Supervisor,
    ) -> anyhow::Result<MutantReport> {
        let options = Options {
            top: self.path("top"),
            cache: self.path("cache"),
            work: self.path("work"),
            kernel: "san".into(),
            lanes: 2,
            stop: false,
            resume,
        };
        run(&options, mutants, supervisor)
    }

    /// Returns a row for each mutant, and how often the suite ran.
    fn run(&self, mutants: &[Mutant], resume: bool) -> (Vec<String>, usize) {
        let _ = fs::remove_file(self.path("work/ran"));
        let report = self
            .run_with(mutants, resume, &Supervisor::new(Duration::from_secs(600)))
            .unwrap();
        let rows = report
            .rows
            .iter()
            .map(|row| format!("{} {}", row.mutant, row.caught));
        let ran = fs::read_to_string(self.path("work/ran")).unwrap_or_default();
        (rows.collect(), ran.lines().count())
    }
}

/// Returns a mutant that puts a line in the place of one of the file `code`.
fn mutant(name: &str, old: &str, new: &str) -> Mutant {
    let patch = format!(
        "Fault: {name}.\nSuite: kunit caif_a.b\n\n--- a/code\n+++ b/code\n@@ -1 +1 @@\n-{old}\n+{new}\n"
    );
    Mutant::parse(name, patch.into()).unwrap()
}

fn four() -> [Mutant; 4] {
    [
        mutant("one", "code", "fault 1"),
        mutant("two", "other", "fault 2"),
        mutant("three", "code", "syntax"),
        mutant("four", "code", "fault 4"),
    ]
}

#[test]
fn each_mutant_is_run_in_a_copy_of_its_own() {
    let checkout = Checkout::new(KUNIT);
    let (rows, ran) = checkout.run(&four(), false);
    let expected = [
        "one kunit: caif_a.b",
        "two error: the patch does not apply",
        "three error: does not build",
        "four kunit: caif_a.b",
    ];
    assert_eq!(rows, expected);
    // At most once without a fault in each lane.
    assert!((3..=4).contains(&ran), "{ran}");
    // Nothing is tried for a patch that does not apply.
    let (rows, ran) = checkout.run(&four()[1..2], false);
    assert_eq!((rows, ran), (vec![expected[1].to_owned()], 0));
    let code = |path: &str| fs::read_to_string(checkout.path(path)).unwrap();
    assert_eq!(code("top/code"), "code\n");
    assert_eq!(code("work/tree-1/code"), "code\n");
    assert_eq!(code("work/tree-2/code"), "code\n");
}

#[test]
fn what_was_caught_is_not_run_again_until_its_sources_change() {
    let checkout = Checkout::new(KUNIT);
    let all = four();
    let (before, _) = checkout.run(&all[..1], false);
    let (rows, ran) = checkout.run(&all[..1], true);
    assert_eq!((&rows, ran), (&before, 0));
    // Those that were not caught are.
    let (rows, _) = checkout.run(&all, true);
    assert_eq!(rows[2], "three error: does not build");
    let (_, ran) = checkout.run(&all[3..], true);
    assert_eq!(ran, 0);
    checkout.write("README.md", "more\n");
    assert_eq!(checkout.run(&all[..1], true).1, 0);
    checkout.write("more", "more\n");
    assert_eq!(checkout.run(&all[..1], true).1, 2);
    // Without being asked all are run.
    assert_eq!(checkout.run(&all[..1], false).1, 2);
}

#[test]
fn a_suite_that_fails_without_a_fault_proves_nothing() {
    let supervisor = Supervisor::new(Duration::from_secs(600));
    for script in [
        "echo 'FAIL  caif_a.b'; echo '0 passed, 1 failed'; exit 1",
        "echo '3 passed, 0 failed'; exit 1",
        "exit 0",
        "echo '1 passed, 0 failed'; kill -9 $$",
    ] {
        let checkout = Checkout::new(script);
        let result = checkout.run_with(&four()[..1], false, &supervisor);
        let said = result.map(|_| ()).unwrap_err().to_string();
        assert_eq!(said, "not all mutants were run, see above", "{script}");
        assert!(!checkout.path("work/caught").exists());
    }
}

/// Reads a named pipe until nobody has it.
fn read_all(fifo: &Path, opened: impl FnOnce()) {
    let mut file = File::open(fifo).unwrap();
    opened();
    file.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn an_interrupted_run_leaves_no_process_and_knows_what_it_caught() {
    let checkout = Checkout::new(KUNIT);
    let fifo = checkout.path("held");
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    // The second mutant hangs.
    let hangs = format!(
        "grep -q hang code && exec sleep 600 >{}\n{KUNIT}",
        fifo.display()
    );
    checkout.script("tests/kunit/run", &hangs);
    let mutants = [
        mutant("one", "code", "fault"),
        mutant("two", "code", "hang"),
    ];
    let supervisor = Supervisor::new(Duration::from_secs(600));
    assert_eq!(checkout.run(&mutants[..1], true).0, ["one kunit: caif_a.b"]);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| read_all(&fifo, || supervisor.interrupt(Signal::SIGTERM)));
        let result = checkout.run_with(&mutants, true, &supervisor);
        result.map(|_| ()).unwrap_err().to_string()
    });
    assert_eq!(
        said,
        "ended by SIGTERM after 1 of 2 mutants, --resume goes on from there"
    );
}
