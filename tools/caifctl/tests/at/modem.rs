// SPDX-License-Identifier: GPL-2.0 OR MIT

//! A modem on a Unix socket, which answers commands.

use std::{
    io::{Read, Write},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex},
    thread,
};

use tempfile::TempDir;

use crate::program::LIMIT;

/// More than a terminal holds, and no more than a socket does.
pub static FLOOD: [u8; 160 << 10] = [b'x'; 160 << 10];

/// A modem with any number of channels, one thread for each.
pub struct Modem {
    dir: TempDir,
    channels: Arc<Channels>,
}

/// The channels that are open.
#[derive(Default)]
struct Channels {
    open: Mutex<Vec<UnixStream>>,
    opened: Condvar,
}

impl Modem {
    pub fn start() -> Self {
        Self::with(|stream| {
            answer(&stream);
            // The test has the channel open, too. The other end may be gone.
            let _ = stream.shutdown(Shutdown::Both);
        })
    }

    /// Starts one that takes no data, and says only what the test makes it say.
    pub fn deaf() -> Self {
        Self::with(drop)
    }

    fn with(serve: fn(UnixStream)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(dir.path().join("modem")).expect("a socket");
        let channels = Arc::<Channels>::default();
        let opened = Arc::clone(&channels);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = stream.try_clone().expect("a descriptor");
                opened.open.lock().expect("no panic").push(kept);
                opened.opened.notify_all();
                thread::spawn(move || serve(stream));
            }
        });
        Self { dir, channels }
    }

    /// Says this on the last channel that was opened.
    pub fn says(&self, text: &[u8]) {
        let Channels { open, opened } = &*self.channels;
        let open = open.lock().expect("no panic");
        let (mut open, _) = opened
            .wait_timeout_while(open, LIMIT, |open| open.is_empty())
            .expect("no panic");
        let channel = open.last_mut().expect("a channel");
        channel.write_all(text).expect("room");
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("modem")
    }

    /// Returns a place for files.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }
}

/// Answers, and takes no data after that, but does not close.
fn takes_no_more(mut stream: &UnixStream) {
    if stream.shutdown(Shutdown::Read).is_ok() && stream.write_all(b"OK\r\n").is_ok() {
        loop {
            thread::park();
        }
    }
}

/// Answers with echo until the other end closes, or asks to close the channel.
fn answer(mut stream: &UnixStream) {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while matches!(stream.read(&mut byte), Ok(1)) {
        if byte != *b"\r" {
            line.extend(byte);
            continue;
        }
        let command = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
        let said = match command.as_str() {
            "AT*DROP" => return,
            "AT*FLOOD" => return drop(stream.write_all(&FLOOD)),
            "AT*SILENT" => continue,
            "AT*LAST" => return takes_no_more(stream),
            // In one piece each: a line that is no answer, and one behind an answer.
            "AT*RING" if stream.write_all(b"RING\r\n").is_ok() => continue,
            "AT*TALK" if stream.write_all(b"OK\r\n\r\nNO CARRIER\r\n").is_ok() => {
                continue;
            }
            "ATI" => "fake modem\r\n\r\nOK",
            "AT+CSQ" => "+CSQ: 23,99\r\n\r\nOK",
            "AT+CPIN?" => "+CME ERROR: 10",
            "AT*ESCAPE" => "\x1b[2J\r\n\r\nOK",
            "AT" => "OK",
            "AT+CPIN=1234" => "+CPIN: READY\r\n\r\nOK",
            _ => "ERROR",
        };
        let text = format!("{command}\r\r\n{said}\r\n");
        // In pieces, as over a link.
        for part in text.as_bytes().chunks(5) {
            if stream.write_all(part).is_err() {
                return;
            }
        }
    }
}
