// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Runs the program.

use std::{
    fs,
    io::Write,
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::wait::{Id, WaitPidFlag, waitid},
    unistd::Pid,
};

use crate::modem::Modem;

/// Limit, longer than anything takes on any machine.
pub const LIMIT: Duration = Duration::from_secs(60);

pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
}

/// The running program, which is ended on drop.
pub struct Running(pub Child);

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    /// Waits until it has slept for a while: it took no CPU time whenever it was looked at.
    pub fn sleeps(&self) {
        let (mut before, mut looks) = (String::new(), 0);
        wait_for("a program that sleeps", || {
            let now = self.state();
            looks = match now == before && now.starts_with("S ") {
                true => looks + 1,
                false => 0,
            };
            before = now;
            looks == 20
        });
    }

    /// Returns the state, and the CPU times in user space and in the kernel.
    fn state(&self) -> String {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).expect("a process");
        // What precedes is the name, in parentheses.
        let (_, rest) = text.rsplit_once(')').expect("a name");
        let fields: Vec<&str> = rest.split_whitespace().collect();
        format!("{} {} {}", fields[0], fields[11], fields[12])
    }

    /// Waits for the end, which must come by itself. Returns the exit status.
    pub fn end(&mut self) -> i32 {
        let (sender, receiver) = mpsc::channel();
        let id = Id::Pid(self.pid());
        thread::spawn(move || {
            // It stays a zombie, for the wait below.
            let ended = waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            // The test may have given up.
            let _ = sender.send(ended);
        });
        let ended = receiver.recv_timeout(LIMIT).expect("an end");
        ended.expect("a child");
        let status = self.0.wait().expect("a child");
        status.code().expect("no signal")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns the command `caifctl at`, with the test's socket in the place of a modem.
pub fn at(modem: &Modem, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_caifctl"));
    command
        .arg("at")
        .args(args)
        .env("CAIFCTL_AT_SOCKET", modem.path())
        .env("XDG_STATE_HOME", modem.folder().join("state"));
    command
}

/// Returns the same with SIGHUP ignored, as by `nohup`.
pub fn at_nohup(modem: &Modem, args: &[&str]) -> Command {
    let program = at(modem, args);
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' HUP && exec \"$@\"", "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .envs(
            program
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    command
}

pub fn run(modem: &Modem, args: &[&str]) -> Ended {
    run_with(modem, args, "")
}

pub fn run_with(modem: &Modem, args: &[&str], input: &str) -> Ended {
    let mut child = at(modem, args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("a pipe with room");
    drop(stdin);
    let output = child.wait_with_output().expect("an end");
    Ended {
        status: output.status.code().expect("no signal"),
        out: String::from_utf8(output.stdout).expect("text"),
        err: String::from_utf8(output.stderr).expect("text"),
    }
}

/// Reads until the text has come. Returns all that was read.
pub fn read_until(from: &impl AsFd, text: &str) -> String {
    let end = Instant::now() + LIMIT;
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(text) {
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "no {text:?}");
        let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        let limit = PollTimeout::try_from(left).expect("a short time");
        assert!(
            poll(&mut fds, limit).expect("poll") > 0,
            "no {text:?}, but {:?}",
            String::from_utf8_lossy(&all)
        );
        let mut buffer = [0; 4096];
        match nix::unistd::read(from.as_fd(), &mut buffer) {
            Ok(0) | Err(_) => panic!(
                "no {text:?} up to the end: {:?}",
                String::from_utf8_lossy(&all)
            ),
            Ok(len) => all.extend(&buffer[..len]),
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Waits until there is something to read.
pub fn wait_to_read(from: &impl AsFd) {
    let mut fds = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
    let limit = PollTimeout::try_from(LIMIT).expect("a short time");
    assert!(poll(&mut fds, limit).expect("poll") > 0, "nothing to read");
}

/// Polls a condition for which there is no event.
pub fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < end, "there is not {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
