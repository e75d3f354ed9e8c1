// SPDX-License-Identifier: GPL-2.0

//! Tests the program that runs the jobs of a script.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};

/// Runs jobs by a text for the shell, which has the job's name in `$1`.
fn command(dir: &Path, jobs: &[&str], text: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_in-lanes"));
    command.current_dir(dir).args(["--logs", "log-"]).args(jobs);
    command.args(["--", "sh", "-c", text, "_"]);
    command.stdout(Stdio::piped());
    command
}

/// Returns the lines of a run, sorted.
fn lines(mut command: Command) -> Vec<String> {
    let output = command.output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn each_job_has_a_status_and_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let text = "echo out; echo err >&2; case $1 in bad) exit 3 ;; killed) kill -9 $$ ;; esac";
    let command = command(dir.path(), &["good", "bad", "killed"], text);
    assert_eq!(lines(command), ["bad 3", "good 0", "killed 137"]);
    for name in ["good", "bad", "killed"] {
        let log = dir.path().join(format!("log-{name}.log"));
        assert_eq!(std::fs::read_to_string(log).unwrap(), "out\nerr\n");
    }
}

#[test]
fn two_run_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    // Each of the first two ends only if the other runs; the third starts when one has.
    let text = "case $1 in
        a) echo x >a; read y <b ;;
        b) read x <a; echo y >b ;;
        c) [ -e begun ]; exit ;;
        esac; touch begun";
    for name in ["a", "b"] {
        mkfifo(&dir.path().join(name), Mode::S_IRWXU).unwrap();
    }
    let command = command(dir.path(), &["a", "b", "c"], text);
    assert_eq!(lines(command), ["a 0", "b 0", "c 0"]);
}

#[test]
fn a_job_waits_for_another_that_fails_and_for_none_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let text = "case $1 in a) touch done; exit 1 ;; b) [ -e done ] ;; esac";
    let command = command(dir.path(), &["c=none", "b=a", "a"], text);
    assert_eq!(lines(command), ["a 1", "b 0", "c 0"]);
}

#[test]
fn jobs_end_with_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let up = dir.path().join("up");
    mkfifo(&up, Mode::S_IRWXU).unwrap();
    let text = "exec >up; echo ready; exec sleep 600";
    let mut child = command(dir.path(), &["a"], text).spawn().unwrap();
    let mut pipe = BufReader::new(File::open(up).unwrap());
    let mut line = String::new();
    pipe.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(15));
    // The pipe ends with the job.
    assert_eq!(pipe.read_line(&mut line).unwrap(), 0);
}
