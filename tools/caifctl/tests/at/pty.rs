// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A terminal in the place of a serial port.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    fcntl::OFlag,
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        signal::{Signal, kill},
    },
};

use crate::{
    modem::{FLOOD, Modem},
    program::{Running, at, at_nohup, read_until, run, wait_to_read},
};

/// Starts the program, and waits for the name of the terminal.
fn start(modem: &Modem, args: &[&str]) -> (Running, String) {
    start_as(at(modem, args))
}

fn start_as(mut program: Command) -> (Running, String) {
    let child = program
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let child = Running(child);
    let name = read_until(child.0.stdout.as_ref().expect("a pipe"), "\n");
    (child, name.trim_end().to_owned())
}

fn open(path: &str) -> File {
    open_with(path, OFlag::empty())
}

fn open_with(path: &str, flags: OFlag) -> File {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOCTTY | flags).bits())
        .open(path)
        .expect("a terminal")
}

fn says(port: &mut File, command: &str, answer: &str) -> String {
    port.write_all(format!("{command}\r").as_bytes())
        .expect("a terminal");
    read_until(port, answer)
}

fn terminate(child: &mut Running) {
    kill(child.pid(), Signal::SIGTERM).expect("a child");
    assert_eq!(child.end(), 0);
}

#[test]
fn programs_open_it_one_after_the_other() {
    let modem = Modem::start();
    let link = modem.folder().join("port");
    let path = link.to_str().expect("a path of text");
    let (mut child, name) = start(&modem, &["--pty", path]);
    assert_eq!(name, path);
    for _ in 0..3 {
        let mut port = open(path);
        // Each byte as it is: an echo of the terminal would come back twice.
        let said = says(&mut port, "ATI", "OK\r\n");
        assert_eq!(said, "ATI\r\r\nfake modem\r\n\r\nOK\r\n");
    }
    terminate(&mut child);
    assert!(!link.exists() && fs::read_link(&link).is_err());
}

#[test]
fn what_nobody_has_read_is_discarded() {
    let modem = Modem::start();
    let (mut child, name) = start(&modem, &["--pty"]);
    let mut port = open(&name);
    let events = Inotify::init(InitFlags::empty()).expect("events");
    let kinds = AddWatchFlags::IN_CLOSE_WRITE;
    events.add_watch(name.as_str(), kinds).expect("a watch");
    port.write_all(b"AT*RING\r").expect("a terminal");
    wait_to_read(&port);
    drop(port);
    // One is of this test; the other one is of the program, which opens the terminal to flush it.
    for _ in 0..2 {
        wait_to_read(&events);
        events.read_events().expect("an event");
    }
    let mut port = open(&name);
    assert_eq!(says(&mut port, "AT", "OK\r\n"), "AT\r\r\nOK\r\n");
    terminate(&mut child);
}

#[test]
fn it_ends_by_a_hangup_that_is_not_ignored() {
    let modem = Modem::start();
    let (mut child, name) = start_as(at_nohup(&modem, &["--pty"]));
    let mut port = open(&name);
    kill(child.pid(), Signal::SIGHUP).expect("a child");
    says(&mut port, "ATI", "fake modem");
    terminate(&mut child);

    let (mut child, _) = start(&modem, &["--pty"]);
    kill(child.pid(), Signal::SIGHUP).expect("a child");
    assert_eq!(child.end(), 0);
}

#[test]
fn it_outlives_the_channel() {
    let modem = Modem::start();
    let (mut child, name) = start(&modem, &["--pty"]);
    assert!(Path::new(&name).starts_with("/dev/pts"), "{name}");
    let mut port = open(&name);
    says(&mut port, "AT", "OK\r\n");
    port.write_all(b"AT*DROP\r").expect("a terminal");
    let stderr = child.0.stderr.take().expect("a pipe");
    read_until(&stderr, "the channel is open again\n");
    says(&mut port, "ATI", "fake modem");
    terminate(&mut child);
}

#[test]
fn a_channel_that_ends_is_seen_while_nobody_reads() {
    let modem = Modem::start();
    let (mut child, name) = start(&modem, &["--pty"]);
    let mut port = open(&name);
    port.write_all(b"AT*FLOOD\r").expect("a terminal");
    let stderr = child.0.stderr.take().expect("a pipe");
    read_until(&stderr, "the channel is open again\n");
    terminate(&mut child);
}

/// Writes until nothing more fits: the program sleeps with bytes that the modem does not take.
fn fill(child: &Running, port: &mut File) {
    loop {
        match port.write(&[b'x'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                child.sleeps();
                if port.write(b"x").is_err() {
                    return;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_modem_that_takes_no_data_is_waited_for() {
    let modem = Modem::deaf();
    let (mut child, name) = start(&modem, &["--pty"]);
    // Of two programs, as the second one opens a terminal that is full already.
    for _ in 0..2 {
        let mut port = open_with(&name, OFlag::O_NONBLOCK);
        fill(&child, &mut port);
        drop(port);
        child.sleeps();
    }
    terminate(&mut child);
}

#[test]
fn so_is_one_that_talks_meanwhile() {
    let modem = Modem::deaf();
    let (mut child, name) = start(&modem, &["--pty"]);
    let mut port = open_with(&name, OFlag::O_NONBLOCK);
    modem.says(&FLOOD);
    fill(&child, &mut port);
    drop(port);
    child.sleeps();
    // What it said is gone, with the program that has not read it.
    let port = open_with(&name, OFlag::O_NONBLOCK);
    child.sleeps();
    modem.says(b"RING\r\n");
    assert_eq!(read_until(&port, "\n"), "RING\r\n");
    terminate(&mut child);
}

#[test]
fn nothing_of_somebody_else_is_replaced() {
    let modem = Modem::start();
    let file = modem.folder().join("file");
    fs::write(&file, "text").expect("a file");
    let ended = run(&modem, &["--pty", file.to_str().expect("a path of text")]);
    assert!(ended.err.contains("choose another path"), "{}", ended.err);
    assert_eq!(ended.status, 1);
    assert_eq!(fs::read_to_string(&file).expect("a file"), "text");
}
