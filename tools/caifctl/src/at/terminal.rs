// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Commands that are typed. Lines of the modem appear above the line that is being edited, at any
//! time.

use std::{
    io::{Read, stdin},
    path::Path,
    process::exit,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    sys::termios::{SetArg, Termios, tcgetattr, tcsetattr},
};
use rustyline::{
    Config, Editor, ExternalPrinter, config::BellStyle, error::ReadlineError, history::FileHistory,
};
use signal_hook::iterator::Signals;
use socket2::Socket;

use super::{
    Args,
    answer::{Lines, check},
    exec::send,
    history,
};
use crate::{
    caif::is_late,
    output::{complain, print, printable},
    signals::ending,
};

const PROMPT: &str = "at> ";

/// A channel, and whether a thread still prints its lines.
struct Channel {
    socket: Socket,
    alive: Arc<AtomicBool>,
}

/// An editor of lines.
type LineEditor = Editor<(), FileHistory>;

/// Returns an editor; `None` if lines cannot be edited on a terminal such as this, by its TERM.
pub fn editor() -> Result<Option<LineEditor>> {
    let config = Config::builder()
        .bell_style(BellStyle::None)
        .max_history_size(1000)?
        .history_ignore_space(true)
        .build();
    let mut editor = LineEditor::with_history(config, FileHistory::new())?;
    // There is no other way to ask: it reads lines from such a terminal, but prints nothing meanwhile.
    match editor.create_external_printer() {
        Ok(_) => Ok(Some(editor)),
        Err(ReadlineError::Errno(Errno::ENOTTY)) => Ok(None),
        Err(error) => Err(error).context("cannot print"),
    }
}

pub fn run(args: &Args, mut editor: LineEditor) -> Result<()> {
    let socket = args.open()?;
    let before = tcgetattr(stdin()).context("standard input is no terminal")?;
    restore_when_killed(before)?;
    let file = history::file();
    if let Some(file) = file.as_deref().filter(|file| file.exists()) {
        editor
            .load_history(file)
            .unwrap_or_else(|error| no_history(file, &error));
    }
    print("^C, or ^D in an empty line, ends this.\n")?;
    let mut channel = Channel::new(&mut editor, socket)?;
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("cannot read a line"),
        };
        let command = line.trim();
        if let Err(what) = check(command) {
            complain(&what);
            continue;
        }
        if command.is_empty() {
            continue;
        }
        if history::is_kept(command) {
            editor.add_history_entry(command)?;
        }
        if let Err(error) = channel.send(args, &mut editor, command) {
            complain(&format!("{error:#}"));
        }
    }
    if let Some(file) = &file {
        editor
            .save_history(file)
            .unwrap_or_else(|error| no_history(file, &error));
    }
    Ok(())
}

fn no_history(file: &Path, error: &ReadlineError) {
    complain(&format!(
        "the history is not kept: {}: {error}",
        file.display()
    ));
}

impl Channel {
    fn new(editor: &mut LineEditor, socket: Socket) -> Result<Self> {
        let mut printer = editor.create_external_printer().context("cannot print")?;
        let alive = Arc::new(AtomicBool::new(true));
        let (reader, alive_there) = (socket.try_clone()?, Arc::clone(&alive));
        reader.set_read_timeout(None)?;
        thread::spawn(move || {
            let why = show(reader, &mut printer);
            alive_there.store(false, Ordering::Release);
            // If the terminal is gone, the program ends by that.
            let _ = printer.print(format!("caifctl: {why}; the next command opens it again\n"));
        });
        Ok(Self { socket, alive })
    }

    /// Sends a command, on another channel if this one is gone.
    fn send(&mut self, args: &Args, editor: &mut LineEditor, command: &str) -> Result<()> {
        if !self.alive.load(Ordering::Acquire) {
            *self = Self::new(editor, args.open()?)?;
        }
        send(&self.socket, command)
    }
}

/// Prints the received lines until the channel ends. Returns why it did.
fn show(mut socket: Socket, printer: &mut impl ExternalPrinter) -> String {
    let mut lines = Lines::default();
    let mut buffer = [0; 4096];
    loop {
        let said = match socket.read(&mut buffer) {
            Ok(0) => return "the modem closed the channel".to_owned(),
            Ok(len) => lines.push(buffer.get(..len).unwrap_or_default()),
            Err(error) if is_late(&error) => continue,
            Err(error) => return format!("the channel is lost: {error}"),
        };
        for line in said {
            if printer.print(format!("{}\n", printable(&line))).is_err() {
                return "the terminal is gone".to_owned();
            }
        }
    }
}

/// A line is edited with the terminal in another mode. Restores the terminal's mode if a signal
/// ends the program meanwhile.
fn restore_when_killed(before: Termios) -> Result<()> {
    // ^C is a key while a line is edited, and a signal otherwise.
    let mut signals = Signals::new(ending())?;
    // Flags in a `Termios` are cells; those of the library's structure are not.
    let before = libc::termios::from(before);
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // A closed terminal needs no restoring.
            let _ = tcsetattr(stdin(), SetArg::TCSANOW, &Termios::from(before));
            exit(128 + signal);
        }
    });
    Ok(())
}
