// SPDX-License-Identifier: GPL-2.0

//! Tests the program that counts the cases of a script and ends what it has started.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const COUNTER: &str = env!("CARGO_BIN_EXE_count-cases");

/// What is seen of a script: its output, what is said of it, and the exit status or the signal.
#[derive(Debug)]
struct Seen {
    out: String,
    errors: String,
    end: (Option<i32>, Option<i32>),
}

/// Starts a script in which `record LINE` is what scripts/cases.sh has, `under` another program.
fn command(dir: &Path, under: &[&str], text: &str) -> Command {
    let script = dir.join("script");
    let record = "record() { echo \"$*\" >>\"$CAIF_RECORDS\"; }\n";
    std::fs::write(&script, format!("{record}{text}\n")).unwrap();
    let line: Vec<_> = under.iter().chain(&[COUNTER]).collect();
    let mut command = Command::new(line[0]);
    command.args(&line[1..]).arg(script).current_dir(dir);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn see(mut command: Command) -> Seen {
    let output = command.output().unwrap();
    Seen {
        out: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
        end: (output.status.code(), output.status.signal()),
    }
}

fn run(text: &str) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    see(command(dir.path(), &[], text))
}

/// Each line of the file is the number of a process, which has ended.
fn are_gone(file: &Path) {
    let pids = std::fs::read_to_string(file).unwrap();
    assert!(!pids.is_empty());
    for pid in pids.split_whitespace() {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
    }
}

#[test]
fn what_the_script_prints_is_left_as_it_is() {
    let seen =
        run("printf 'ok    a\\n5 passed, 0 failed\\nno end of line'; record ok a; record end");
    assert_eq!(
        seen.out,
        "ok    a\n5 passed, 0 failed\nno end of line1 passed, 0 failed\n"
    );
    assert_eq!((seen.errors.as_str(), seen.end), ("", (Some(0), None)));
}

#[test]
fn the_last_line_and_the_status_tell_what_came_of_it() {
    for (text, last, said, status) in [
        ("record ok a; record end", "1 passed, 0 failed", "", 0),
        (
            "record ok a; record FAIL b; record end",
            "1 passed, 1 failed",
            "",
            1,
        ),
        (
            "record ok a; record end; exit 3",
            "1 passed, 1 failed",
            "ended with status 3",
            3,
        ),
        (
            "record FAIL a; exit 2",
            "0 passed, 1 failed",
            "ended with status 2",
            2,
        ),
        (
            "record ok a; exit 0",
            "1 passed, 1 failed",
            "ended before its last case",
            1,
        ),
        ("record end", "0 passed, 1 failed", "ran no case", 1),
        (":", "0 passed, 1 failed", "ended before its last case", 1),
        (
            "record ok a; record end; kill -9 $$",
            "1 passed, 1 failed",
            "was ended by SIGKILL",
            1,
        ),
        (
            "echo '9 passed, 0 failed'; exit 1",
            "0 passed, 1 failed",
            "ended with status 1",
            1,
        ),
    ] {
        let seen = run(text);
        assert_eq!(seen.out.lines().last(), Some(last), "{text}: {seen:?}");
        assert_eq!(seen.end, (Some(status), None), "{text}");
        assert_eq!(
            seen.errors.lines().count(),
            usize::from(!said.is_empty()),
            "{text}"
        );
        assert!(seen.errors.trim_end().ends_with(said), "{text}: {seen:?}");
    }
}

#[test]
fn what_cargo_hides_is_shown_as_a_failed_case() {
    let seen = run(
        "record cargo 101 -p a; record 'test result: ok. 3 passed; 0 failed; 0 ignored'; record end",
    );
    let failed = "FAIL  cargo test -p a: no test failed, but it ended with status 101\n";
    assert_eq!(seen.out, format!("{failed}3 passed, 1 failed\n"));
    assert_eq!(seen.end, (Some(1), None));
}

#[test]
fn arguments_and_input_are_those_of_the_script() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = command(
        dir.path(),
        &[],
        "echo \"$1|$2|$#|$(cat)\"; [ $PPID = $CAIF_COUNTER ] && record ok a; record end",
    );
    let mut child = command
        .args(["--help", "a b"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"input").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"--help|a b|2|input\n1 passed, 0 failed\n");
}

#[test]
fn what_a_script_leaves_behind_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    // In the background, in a session of its own, and deaf to SIGTERM.
    let text = "exec >/dev/null 2>&1
        mkfifo wrote && exec 3<>wrote
        sleep 600 & echo $! >>pids
        setsid sh -c 'echo $$ >>pids; echo >&3; exec sleep 600' &
        (trap '' TERM; echo $BASHPID >>pids; echo >&3; exec sleep 600) &
        read -r -u 3 && read -r -u 3
        record ok a; record end";
    let seen = see(command(dir.path(), &[], text));
    assert_eq!(seen.out, "1 passed, 0 failed\n");
    assert_eq!(seen.end, (Some(0), None));
    are_gone(&dir.path().join("pids"));
}

#[test]
fn a_signal_ends_all_and_the_script_tidies_up() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let dir = tempfile::tempdir().unwrap();
        let text = "trap 'rm tidy' EXIT
            touch tidy
            record ok a
            setsid sleep 600 >/dev/null 2>&1 & echo $! >>pids
            sh -c 'echo $$ >>pids; echo ready; exec sleep 600'
            record end";
        let mut child = command(dir.path(), &[], text).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(signal as i32));
        are_gone(&dir.path().join("pids"));
        assert!(!dir.path().join("tidy").exists());
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "1 passed, 1 failed\n");
        let mut errors = String::new();
        let mut pipe = child.stderr.take().unwrap();
        pipe.read_to_string(&mut errors).unwrap();
        assert!(
            errors.ends_with("script was ended by SIGTERM\n"),
            "{errors}"
        );
    }
}

#[test]
fn a_script_that_a_signal_ends_is_seen_to_be_ended_by_it() {
    let seen = run("record ok a; record end; kill -INT $$");
    assert_eq!(seen.end, (None, Some(Signal::SIGINT as i32)));
    assert_eq!(seen.out, "1 passed, 1 failed\n");
}

#[test]
fn a_signal_that_is_ignored_above_ends_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let text = "kill -HUP $PPID $$; record ok a; record end";
    let seen = see(command(dir.path(), &["env", "--ignore-signal=HUP"], text));
    assert_eq!(
        (seen.out.as_str(), seen.end),
        ("1 passed, 0 failed\n", (Some(0), None))
    );
    let seen = see(command(dir.path(), &["env", "--default-signal=HUP"], text));
    assert_eq!(seen.end, (None, Some(Signal::SIGHUP as i32)), "{seen:?}");
}
