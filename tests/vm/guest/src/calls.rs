// SPDX-License-Identifier: GPL-2.0

//! Makes the calls of `tests/vm/calls/script`, one after the other, and prints their results.
//!
//! A line is a call: its subject, its name and its arguments. `+` in front of it means that its
//! frames count as those of the call before, and `&` that a thread of its own makes it, whose
//! result `wait` returns. A frame on an unused channel marks each call on the link.

mod bytes;
mod interface;
mod signals;
mod socket;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use socket2::Socket;

/// The calls, and the other lines of the file.
const SCRIPT: &str = include_str!("../../calls/script");
/// The link of all channels.
const LINK: &str = "cfvrt0";
/// How long the end of a channel waits for payloads at most, and more.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(clap::Args)]
pub struct Args {
    /// A FIFO for requests to the harness
    #[arg(long)]
    wish: PathBuf,
    /// A FIFO that is written when a request was handled
    #[arg(long)]
    done: PathBuf,
}

/// The arguments of a call.
pub(crate) struct Words(std::vec::IntoIter<String>);

impl Words {
    /// Splits a line at blanks, but not between quotes.
    fn split(line: &str) -> Self {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for letter in line.chars() {
            quoted ^= letter == '"';
            match words.last_mut() {
                Some(word) if quoted || !letter.is_whitespace() => word.push(letter),
                Some(word) if !word.is_empty() => words.push(String::new()),
                _ => {}
            }
        }
        words.retain(|word| !word.is_empty());
        Self(words.into_iter())
    }

    fn word(&mut self) -> Result<String> {
        self.next().context("a word is missing")
    }

    fn number<T: TryFrom<i64>>(&mut self) -> Result<T> {
        let word = self.word()?;
        let number = match word.strip_prefix("0x") {
            Some(digits) => i64::from_str_radix(digits, 16),
            None => word.parse(),
        };
        let number = number.with_context(|| format!("{word} is no number"))?;
        T::try_from(number)
            .ok()
            .with_context(|| format!("{word} is too large"))
    }
}

impl Iterator for Words {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.0.next()
    }
}

/// Returns the result of a call as text, or the name of its error.
pub(crate) fn told<T: ToString>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => value.to_string(),
        Err(error) => match error.raw_os_error() {
            Some(errno) => format!("{:?}", Errno::from_raw(errno)),
            None => error.to_string(),
        },
    }
}

/// Returns the result of a call without a value as text, or the name of its error.
pub(crate) fn done(result: io::Result<()>) -> String {
    told(result.map(|()| 0))
}

#[derive(Default)]
struct Calls {
    sockets: HashMap<String, Arc<Socket>>,
    waiting: HashMap<String, JoinHandle<Result<String>>>,
}

pub fn run(args: &Args) -> Result<()> {
    signals::hold_back()?;
    let mut calls = Calls::default();
    let mut number = 0;
    for line in SCRIPT.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '=', '~']) {
            continue;
        }
        number += 1;
        let (same, call) = match line.strip_prefix('+') {
            Some(call) => (true, call),
            None => (false, line),
        };
        if !same {
            told_of_ends();
            // The link is down, which is the same for every stack.
            let _ = interface::mark(LINK, number);
        }
        let result = calls
            .call(args, call.trim())
            .with_context(|| format!("call {number}: {line}"))?;
        println!("{number} {result}");
    }
    ensure!(calls.waiting.is_empty(), "a thread is left");
    told_of_ends();
    let _ = interface::mark(LINK, number + 1);
    wish(args, "end")
}

/// Waits until the stack has told the modem of the ends of channels, which wait for payloads that
/// another CPU is sending. Gives up on a link that sends nothing. The list of channels has no event for a
/// change.
fn told_of_ends() {
    let begin = Instant::now();
    // The stack in C has no such file.
    while fs::read_to_string("/proc/net/caif").is_ok_and(|list| list.contains(" closing "))
        && begin.elapsed() < PATIENCE
    {
        thread::yield_now();
    }
}

/// Makes a request to the harness.
fn wish(args: &Args, what: &str) -> Result<()> {
    fs::write(&args.wish, format!("{what}\n"))?;
    let answer = fs::read_to_string(&args.done)?;
    ensure!(answer.trim() == what, "{what}: {answer}");
    Ok(())
}

impl Calls {
    fn call(&mut self, args: &Args, line: &str) -> Result<String> {
        let (apart, line) = match line.strip_prefix('&') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let mut words = Words::split(line);
        let name = words.word()?;
        let verb = words.word()?;
        if name == "modem" {
            return wish(args, &verb).map(|()| "0".to_owned());
        }
        match verb.as_str() {
            "socket" => return self.make(name, socket::make(&mut words)?),
            "tap" => return self.make(name, interface::tap(&words.word()?)),
            "pair" => return Ok(done(socket::pair(&mut words)?)),
            "nobody" => {
                let task = thread::spawn(move || -> Result<String> {
                    crate::caif::become_nobody()?;
                    Ok(done(socket::make(&mut words)?.map(drop)))
                });
                return joined(task);
            }
            "wait" => {
                let task = self.waiting.remove(&name).context("no such thread")?;
                return joined(task);
            }
            "close" => {
                let socket = self.sockets.remove(&name).context("no such socket")?;
                let socket = Arc::into_inner(socket).context("it is in use")?;
                drop(socket);
                return Ok("0".to_owned());
            }
            _ => {}
        }
        let Some(socket) = self.sockets.get(&name) else {
            return interface::call(&name, &verb, &mut words);
        };
        let socket = Arc::clone(socket);
        if apart {
            let task = thread::spawn(move || socket::call(&socket, &verb, &mut words));
            ensure!(
                self.waiting.insert(name, task).is_none(),
                "it waits already"
            );
            return Ok("-".to_owned());
        }
        socket::call(&socket, &verb, &mut words)
    }

    fn make(&mut self, name: String, made: io::Result<Socket>) -> Result<String> {
        let made = match made {
            Ok(socket) => {
                if self.sockets.insert(name, Arc::new(socket)).is_some() {
                    bail!("there is such a socket");
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        Ok(done(made))
    }
}

fn joined(task: JoinHandle<Result<String>>) -> Result<String> {
    match task.join() {
        Ok(result) => result,
        Err(_) => bail!("the thread panicked"),
    }
}

/// Reads an attribute of an interface in sysfs.
pub(crate) fn attribute(interface: &str, name: &str) -> io::Result<String> {
    let path = Path::new("/sys/class/net").join(interface).join(name);
    Ok(fs::read_to_string(path)?.trim().to_owned())
}
