// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The program `ivshmem-server`: options, output, signals.

mod common;

use common::memory;
use ivshmem::client::Client;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};
use tempfile::TempDir;

fn command(socket: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ivshmem-server"));
    command.arg("--socket").arg(socket).env_remove("RUST_LOG");
    command
}

/// A server that has printed that it listens.
struct Program {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    socket: PathBuf,
    _dir: TempDir,
}

impl Program {
    fn start(arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("iv");
        let mut child = command(&socket)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert_eq!(line, format!("listening at {}\n", socket.display()));
        Self {
            child,
            stdout,
            socket,
            _dir: dir,
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Has an effect only if a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_ends_in_an_orderly_way_when_asked_to() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::start(&[]);
        let client = Client::connect(&program.socket).unwrap();
        program.signal(signal);
        let status = program.child.wait().unwrap();
        assert!(status.success(), "{signal:?}: {status}");
        assert!(!program.socket.exists());
        let mut rest = String::new();
        program.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "one line only");
        drop(client);
    }
}

#[test]
fn it_has_the_memory_that_was_asked_for() {
    for (size, bytes) in [("16M", 16 << 20), ("65536K", 64 << 20), ("1G", 1 << 30)] {
        let program = Program::start(&["--size", size]);
        let client = Client::connect(&program.socket).unwrap();
        assert_eq!(memory(&client).size(), bytes);
    }
}

#[test]
fn a_killed_one_leaves_a_socket_that_the_next_one_replaces() {
    let mut program = Program::start(&[]);
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    assert!(program.socket.exists());
    let mut next = command(&program.socket)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(next.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let connected = Client::connect(&program.socket).map(|client| client.id());
    next.kill().unwrap();
    next.wait().unwrap();
    assert!(line.starts_with("listening at "), "{line}");
    assert_eq!(connected.unwrap(), 0);
}

/// Runs a server that must refuse to serve. Returns its error message.
fn refused(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    assert!(!status.success());
    assert!(stdout.is_empty(), "it must not say that it listens");
    String::from_utf8(stderr).unwrap()
}

#[test]
fn a_bad_size_is_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("iv");
    for (size, why) in [
        (
            "17M",
            "17825792 bytes, must be a power of two from 16777216",
        ),
        ("8M", "8388608 bytes, must be a power of two from 16777216"),
        (
            "2G",
            "2147483648 bytes, must be a power of two from 16777216",
        ),
    ] {
        let said = refused(command(&socket).args(["--size", size]));
        assert!(said.contains(why), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    // The command line refuses what is not a number.
    let said = refused(command(&socket).args(["--size", "large"]));
    let line = said.lines().next().unwrap();
    assert!(
        line.contains("\"large\" is no size, want for example 16M"),
        "{said}"
    );
    assert!(!socket.exists());
}

#[test]
fn a_place_that_cannot_be_listened_at_is_refused_in_one_line() {
    let program = Program::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    for (socket, why) in [
        (program.socket.clone(), "in use"),
        (dir.path().join("no/such/folder"), "No such file"),
        (dir.path().to_owned(), "in use"),
    ] {
        let said = refused(&mut command(&socket));
        let place = format!("cannot serve at {}", socket.display());
        assert!(said.contains(&place) && said.contains(why), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    Client::connect(&program.socket).unwrap();
}

#[test]
fn few_vectors_are_refused_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let said = refused(command(&dir.path().join("iv")).args(["--vectors", "3"]));
    assert!(said.contains("3 vectors, must be from 4 to 64"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn help_names_each_option() {
    let output = Command::new(env!("CARGO_BIN_EXE_ivshmem-server"))
        .arg("--help")
        .output()
        .unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for option in ["--socket", "--size", "--vectors", "--log"] {
        assert!(help.contains(option), "{option} is missing:\n{help}");
    }
}
