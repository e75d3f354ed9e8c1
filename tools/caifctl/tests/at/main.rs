// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The AT commands of the built program, with a thread in the place of the modem.

mod modem;
mod program;
mod pty;
mod terminal;

use std::{fs, io::Write, process::Stdio};

use nix::unistd::pipe;

use program::{Running, at, read_until, run, run_with};

use modem::Modem;

#[test]
fn answers_are_printed_up_to_their_results() {
    let modem = Modem::start();
    let ended = run(&modem, &["--exec", "ATI", "AT+CSQ"]);
    assert_eq!(ended.out, "fake modem\nOK\n+CSQ: 23,99\nOK\n");
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
}

#[test]
fn an_error_of_the_modem_ends_it() {
    let modem = Modem::start();
    for (command, answer) in [("AT+NOSUCH", "ERROR"), ("AT+CPIN?", "+CME ERROR: 10")] {
        let ended = run(&modem, &["--exec", "AT", command, "ATI"]);
        assert_eq!(ended.out, format!("OK\n{answer}\n"));
        assert_eq!(
            ended.err,
            format!("caifctl: the modem answers {command} by {answer}\n")
        );
        assert_eq!(ended.status, 3);
    }
}

#[test]
fn a_modem_that_says_nothing_is_not_waited_for() {
    let modem = Modem::start();
    let ended = run(&modem, &["--timeout", "0.3", "--exec", "AT*SILENT"]);
    assert!(
        ended.err.contains("did not answer AT*SILENT within 300ms"),
        "{}",
        ended.err
    );
    assert_eq!((ended.status, ended.err.lines().count()), (1, 1));
    let ended = run(&modem, &["--exec", "AT*DROP"]);
    assert_eq!(
        ended.err,
        "caifctl: the modem closed the channel: see its link by `caifctl status`\n"
    );
    assert_eq!(ended.status, 1);
}

#[test]
fn what_the_modem_says_cannot_control_the_terminal() {
    let modem = Modem::start();
    let ended = run(&modem, &["--exec", "AT*ESCAPE"]);
    assert_eq!(ended.out, "\\u{1b}[2J\nOK\n");
}

#[test]
fn commands_can_come_from_standard_input() {
    let modem = Modem::start();
    let ended = run_with(&modem, &[], "ATI\n\n  AT+CSQ\nAT+NOSUCH\nATI\n");
    assert_eq!(ended.out, "fake modem\nOK\n+CSQ: 23,99\nOK\nERROR\n");
    assert_eq!(ended.status, 3);
    let ended = run_with(&modem, &[], "AT\x1b\n");
    assert!(
        ended.err.contains("cannot be in an AT command"),
        "{}",
        ended.err
    );
    assert_eq!((ended.status, ended.out.as_str()), (1, ""));
}

#[test]
fn what_comes_before_a_command_is_not_its_answer() {
    let modem = Modem::start();
    for (line, status) in [("NO CARRIER", 0), ("OK", 3)] {
        let mut program = at(&modem, &[]);
        program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = Running(program.spawn().expect("the program"));
        let mut stdin = child.0.stdin.take().expect("a pipe");
        let stdout = child.0.stdout.take().expect("a pipe");
        stdin.write_all(b"AT\n").expect("a pipe");
        assert_eq!(read_until(&stdout, "OK\n"), "OK\n");
        // The last is no line yet.
        modem.says(format!("\r\nRING\r\n\r\n{line}\r\n\r\n> ").as_bytes());
        let (command, answer) = match status {
            0 => ("ATI", "fake modem\nOK\n"),
            _ => ("AT+NOSUCH", "ERROR\n"),
        };
        writeln!(stdin, "{command}").expect("a pipe");
        drop(stdin);
        let said = read_until(&stdout, answer);
        assert_eq!(said, format!("RING\n{line}\n>\n{answer}"));
        assert_eq!(child.end(), status);
    }
}

#[test]
fn what_comes_with_an_answer_is_printed() {
    let modem = Modem::start();
    let ended = run(&modem, &["--exec", "AT*TALK", "ATI"]);
    assert_eq!(ended.out, "OK\nNO CARRIER\nfake modem\nOK\n");
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
}

#[test]
fn a_channel_that_takes_no_more_is_an_error() {
    let modem = Modem::start();
    for ended in [
        run(&modem, &["--exec", "AT*LAST", "ATI"]),
        run_with(&modem, &[], "AT*LAST\nATI\n"),
    ] {
        assert_eq!(ended.out, "OK\n");
        assert!(
            ended.err.contains("the channel is lost") && ended.err.contains("Broken pipe"),
            "{:?}",
            ended.err
        );
        assert_eq!((ended.status, ended.err.lines().count()), (1, 1));
    }
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let modem = Modem::start();
    let (reader, writer) = pipe().expect("a pipe");
    drop(reader);
    let mut command = at(&modem, &["--exec", "ATI"]);
    let ended = command.stdout(writer).output().expect("the program");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
    assert_eq!(ended.status.code(), Some(0));
}

#[test]
fn no_modem_is_an_error() {
    let modem = Modem::start();
    fs::remove_file(modem.path()).expect("a socket");
    let ended = run(&modem, &["--exec", "AT"]);
    assert!(ended.err.contains("cannot connect"), "{}", ended.err);
    assert_eq!(ended.status, 1);
}
