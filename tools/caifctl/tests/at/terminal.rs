// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands that are typed, in a terminal whose mode must be restored.

use std::{
    fs,
    io::Write,
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    process::Command,
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    pty::openpty,
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, Termios, tcgetattr},
    },
};

use crate::{
    modem::Modem,
    program::{Running, at, at_nohup, read_until, wait_for},
};

struct Terminal {
    master: fs::File,
    slave: OwnedFd,
    before: Termios,
    child: Running,
}

impl Terminal {
    /// Starts the program in a terminal, and waits until a line is being edited.
    fn start(modem: &Modem) -> Self {
        Self::start_as(at(modem, &[]))
    }

    fn start_as(program: Command) -> Self {
        let terminal = Self::run(program, "vt100");
        terminal.shows("at> ");
        terminal.edits();
        terminal
    }

    /// Runs a program in a terminal of this kind.
    fn run(mut program: Command, kind: &str) -> Self {
        let pty = openpty(None, None).expect("a terminal");
        // The program has no other end than its own.
        for fd in [&pty.master, &pty.slave] {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("a descriptor");
        }
        let before = tcgetattr(&pty.slave).expect("a terminal");
        let end_of = || pty.slave.try_clone().expect("a descriptor");
        let child = program
            .env("TERM", kind)
            .stdin(end_of())
            .stdout(end_of())
            .stderr(end_of())
            .spawn()
            .expect("the program");
        Self {
            master: pty.master.into(),
            slave: pty.slave,
            before,
            child: Running(child),
        }
    }

    fn shows(&self, text: &str) -> String {
        read_until(&self.master, text)
    }

    fn type_in(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).expect("a terminal");
    }

    fn mode(&self) -> Termios {
        tcgetattr(&self.slave).expect("a terminal")
    }

    /// Waits until a line is being edited, for which the terminal is in another mode.
    fn edits(&self) {
        wait_for("another mode", || {
            !self.mode().local_flags.contains(LocalFlags::ICANON)
        });
    }

    /// Types a line, waits for the answer and until the next line is being edited.
    fn asks(&mut self, line: &str, answer: &str) {
        self.type_in(&format!("{line}\r"));
        self.shows(answer);
        self.edits();
    }

    /// Checks that the program ends with one of these statuses and restores the terminal's mode.
    fn ends(&mut self, statuses: &[i32]) {
        let status = self.child.end();
        assert!(statuses.contains(&status), "{status}, not {statuses:?}");
        assert_eq!(self.mode(), self.before);
    }
}

#[test]
fn control_c_leaves_the_terminal_as_it_was() {
    let modem = Modem::start();
    let mut terminal = Terminal::start(&modem);
    terminal.type_in("\x03");
    terminal.ends(&[0]);
}

#[test]
fn so_does_the_end_of_the_input() {
    let modem = Modem::start();
    let mut terminal = Terminal::start(&modem);
    terminal.type_in("\x04");
    terminal.ends(&[0]);
}

#[test]
fn so_does_a_signal() {
    let modem = Modem::start();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut terminal = Terminal::start(&modem);
        kill(terminal.child.pid(), signal).expect("a child");
        // A line that is interrupted ends the program, too.
        terminal.ends(&[0, 128 + signal as i32]);
    }
}

#[test]
fn one_that_is_ignored_does_not_end_it() {
    let modem = Modem::start();
    let mut terminal = Terminal::start_as(at_nohup(&modem, &[]));
    kill(terminal.child.pid(), Signal::SIGHUP).expect("a child");
    terminal.asks("ATI", "fake modem");
    terminal.type_in("\x04");
    terminal.ends(&[0]);
}

#[test]
fn a_terminal_that_goes_ends_it() {
    let modem = Modem::start();
    let Terminal {
        master,
        slave,
        mut child,
        ..
    } = Terminal::start(&modem);
    drop((master, slave));
    assert!([0, 1].contains(&child.end()));
}

#[test]
fn commands_are_answered_and_remembered() {
    let modem = Modem::start();
    let mut terminal = Terminal::start(&modem);
    terminal.asks("AT+CSQ", "+CSQ: 23,99");
    terminal.asks("AT+CPIN=1234", "+CPIN: READY");
    // The last command that is remembered, from the history.
    terminal.type_in("\x1b[A");
    terminal.shows("AT+CSQ");
    terminal.asks("", "+CSQ: 23,99");
    terminal.type_in("\x04");
    terminal.ends(&[0]);

    let file = modem.folder().join("state/caifctl/at_history");
    let text = fs::read_to_string(&file).expect("a history");
    assert!(text.contains("AT+CSQ") && !text.contains("1234"), "{text}");
    let mode = fs::metadata(&file).expect("a history").permissions().mode();
    assert_eq!(mode & 0o77, 0, "others can read it: {mode:o}");

    let mut terminal = Terminal::start(&modem);
    terminal.type_in("\x1b[A");
    terminal.shows("AT+CSQ");
    // It drops the line, and ends the program.
    terminal.type_in("\x03");
    terminal.ends(&[0]);
}

#[test]
fn a_channel_that_is_lost_is_opened_by_the_next_command() {
    let modem = Modem::start();
    let mut terminal = Terminal::start(&modem);
    terminal.asks(
        "AT*DROP",
        "the modem closed the channel; the next command opens it again",
    );
    terminal.asks("ATI", "fake modem");
    terminal.type_in("\x03");
    terminal.ends(&[0]);
}

#[test]
fn lines_are_read_where_they_cannot_be_edited() {
    let modem = Modem::start();
    for kind in ["dumb", "emacs", "cons25"] {
        let mut terminal = Terminal::run(at(&modem, &[]), kind);
        for (command, answer) in [("ATI", "fake modem\r\nOK"), ("AT+CSQ", "+CSQ: 23,99\r\nOK")] {
            terminal.type_in(&format!("{command}\r"));
            terminal.shows(answer);
        }
        terminal.type_in("\x04");
        terminal.ends(&[0]);
    }
}
