// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Passes TCP connections to the modem's IP services on to a program that listens on this machine,
//! as a port forwarding does.
//!
//! The IP stacks know no files: they get [`Remote`]s, and the program's loop waits for the files behind
//! them, [`Forwarder::waiting`].

#![forbid(unsafe_code)]

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use caif_stack::{Forward, Remote};
use rustix::{
    event::PollFlags,
    fd::{AsFd, BorrowedFd},
};

/// Limit of a connect, which the modem's loop waits for: its heart beats every 50 ms, and Linux takes a modem
/// whose heart stands still for one that crashed.
const CONNECT_LIMIT: Duration = Duration::from_millis(40);

/// Returns port and address of the text `PORT=ADDRESS:PORT`, or what is wrong with it.
pub fn parse(text: &str) -> Result<(u16, SocketAddr), String> {
    text.split_once('=')
        .and_then(|(port, to)| Some((port.parse().ok()?, to.parse().ok()?)))
        .filter(|(port, _)| *port != 0)
        .ok_or_else(|| format!("{text:?}: want PORT=ADDRESS:PORT, as in 5201=127.0.0.1:5201"))
}

/// Connections that are passed on.
#[derive(Clone, Default)]
pub struct Forwarder {
    files: Arc<Mutex<Vec<Weak<File>>>>,
}

impl Forwarder {
    /// Returns what tells an IP stack to pass connections to a port of its own on to an address.
    pub fn to(&self, port: u16, to: SocketAddr) -> Forward {
        let files = self.files.clone();
        Forward::new(port, move || {
            let stream = TcpStream::connect_timeout(&to, CONNECT_LIMIT)?;
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let file = Arc::new(File {
                stream,
                readable: AtomicBool::new(true),
                writable: AtomicBool::new(true),
            });
            let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
            files.retain(|file| file.strong_count() > 0);
            files.push(Arc::downgrade(&file));
            Ok(Box::new(Connection(file)))
        })
    }

    /// Returns the files of the connections that wait for an event.
    pub fn waiting(&self) -> Vec<Arc<File>> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let open = files.iter().filter_map(Weak::upgrade);
        open.filter(|file| !file.wanted().is_empty()).collect()
    }
}

/// A connection's file, and what was seen of it.
pub struct File {
    stream: TcpStream,
    /// Whether the stream may have bytes to read: false after a read that found none.
    readable: AtomicBool,
    /// Whether the stream may have room: false after a write that found none.
    writable: AtomicBool,
}

impl File {
    /// The events to wait for. While there may be bytes or room, the IP stack is what is waited for.
    pub fn wanted(&self) -> PollFlags {
        let unless = |seen: &AtomicBool, flag| {
            if seen.load(Ordering::Relaxed) {
                PollFlags::empty()
            } else {
                flag
            }
        };
        unless(&self.readable, PollFlags::IN) | unless(&self.writable, PollFlags::OUT)
    }

    /// Notes events that came. The IP stacks must be polled then.
    pub fn note(&self, events: PollFlags) {
        let gone = PollFlags::HUP | PollFlags::ERR;
        if events.intersects(PollFlags::IN | gone) {
            self.readable.store(true, Ordering::Relaxed);
        }
        if events.intersects(PollFlags::OUT | gone) {
            self.writable.store(true, Ordering::Relaxed);
        }
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// An IP stack's end.
struct Connection(Arc<File>);

/// Makes a call that may block, unless the last one found that it would.
fn attempt(seen: &AtomicBool, mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    if !seen.load(Ordering::Relaxed) {
        return Err(ErrorKind::WouldBlock.into());
    }
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                seen.store(false, Ordering::Relaxed);
                return Err(error);
            }
            other => return other,
        }
    }
}

impl Remote for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        attempt(&self.0.readable, || (&self.0.stream).read(buffer))
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        attempt(&self.0.writable, || (&self.0.stream).write(data))
    }

    fn end(&mut self) -> io::Result<()> {
        self.0.stream.shutdown(Shutdown::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn pair() -> (Forwarder, Arc<File>, Box<dyn Remote>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let forwarder = Forwarder::default();
        let forward = forwarder.to(5201, listener.local_addr().unwrap());
        assert_eq!(forward.port(), 5201);
        let remote = forward.connect().unwrap();
        let file = forwarder.files.lock().unwrap()[0].upgrade().unwrap();
        let (other, _) = listener.accept().unwrap();
        (forwarder, file, remote, other)
    }

    /// Waits for what the file wants, and notes what comes.
    fn wait(file: &File) {
        let mut fds = [rustix::event::PollFd::new(file, file.wanted())];
        rustix::event::poll(&mut fds, None).unwrap();
        file.note(fds[0].revents());
    }

    #[test]
    fn bytes_and_ends_both_ways() {
        let (forwarder, file, mut remote, mut other) = pair();
        let mut buffer = [0; 8];
        let blocked = remote.read(&mut buffer).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        assert_eq!(file.wanted(), PollFlags::IN);
        assert_eq!(forwarder.waiting().len(), 1);
        other.write_all(b"there").unwrap();
        wait(&file);
        assert_eq!(file.wanted(), PollFlags::empty());
        assert!(forwarder.waiting().is_empty());
        assert_eq!(remote.read(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"there");

        remote.write(b"back").unwrap();
        remote.end().unwrap();
        let mut said = String::new();
        other.read_to_string(&mut said).unwrap();
        assert_eq!(said, "back");
        assert!(remote.read(&mut buffer).is_err());
        drop(other);
        wait(&file);
        assert_eq!(remote.read(&mut buffer).unwrap(), 0);
    }

    #[test]
    fn what_is_full_is_waited_for() {
        let (_forwarder, file, mut remote, mut other) = pair();
        let mut wrote = 0;
        while let Ok(len) = remote.write(&[0; 65536]) {
            wrote += len;
        }
        assert_eq!(file.wanted(), PollFlags::OUT);
        // A file that is known to be full is not tried.
        assert!(remote.write(b"x").is_err());
        other.read_exact(&mut vec![0; wrote]).unwrap();
        wait(&file);
        assert_eq!(remote.write(b"x").unwrap(), 1);
    }

    #[test]
    fn nobody_who_listens() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = free.local_addr().unwrap();
        drop(free);
        let forwarder = Forwarder::default();
        assert!(forwarder.to(5201, to).connect().is_err());
        assert!(forwarder.files.lock().unwrap().is_empty());
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap();
        // Connections are not answered once the queue of those that are not accepted is full.
        let limit = Duration::from_millis(200);
        let queue: Vec<_> =
            std::iter::from_fn(|| TcpStream::connect_timeout(&to, limit).ok()).collect();
        assert!(!queue.is_empty());
        let start = std::time::Instant::now();
        let connected = Forwarder::default().to(5201, to).connect();
        let error = connected.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        // Without a limit it takes the kernel two minutes.
        assert!(start.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn texts() {
        let to = "127.0.0.1:80".parse().unwrap();
        assert_eq!(parse("5201=127.0.0.1:80"), Ok((5201, to)));
        for wrong in [
            "",
            "5201",
            "0=127.0.0.1:80",
            "5201=127.0.0.1",
            "70000=127.0.0.1:80",
            "x=127.0.0.1:80",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
