// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Connections that are passed on to a program outside of the modem.

mod common;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use caif_stack::pattern::Pattern;
use caif_stack::{Config, Forward, Remote};
use common::ip_host::IpHost;
use common::{Link, ip};

/// A program that returns what it is sent, takes or sends little at once, and has to be waited for
/// every other time.
#[derive(Default)]
struct Slow {
    kept: VecDeque<u8>,
    ended: bool,
    /// Whether the last read had to wait, and the last write.
    waited: [bool; 2],
}

/// Bytes at once.
const PIECE: usize = 700;
/// Bytes that it keeps.
const ROOM: usize = 2000;

/// An error every other time, and if the call cannot be done.
fn wait(waited: &mut bool, has_to: bool) -> io::Result<()> {
    *waited = !*waited;
    if *waited || has_to {
        return Err(ErrorKind::WouldBlock.into());
    }
    Ok(())
}

impl Remote for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        wait(&mut self.waited[0], self.kept.is_empty() && !self.ended)?;
        let len = self.kept.len().min(PIECE).min(buffer.len());
        for (byte, kept) in buffer.iter_mut().zip(self.kept.drain(..len)) {
            *byte = kept;
        }
        Ok(len)
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        assert!(!self.ended);
        wait(&mut self.waited[1], self.kept.len() >= ROOM)?;
        let len = data.len().min(PIECE).min(ROOM - self.kept.len());
        self.kept.extend(&data[..len]);
        Ok(len)
    }

    fn end(&mut self) -> io::Result<()> {
        assert!(!self.ended);
        self.ended = true;
        Ok(())
    }
}

fn connected(forward: Forward) -> (Link, IpHost) {
    let mut link = Link::new(Config::default());
    link.engine.forward(forward);
    let linkid = link.set_up(0, ip(1)).unwrap();
    let host = IpHost::new(&link, linkid, 1);
    (link, host)
}

#[test]
fn both_ways_to_the_end_of_the_stream() {
    let forward = Forward::new(5201, || Ok(Box::new(Slow::default())));
    let (mut link, mut host) = connected(forward);
    let mut request = vec![0; 100_000];
    Pattern::new(1).fill(&mut request);
    for _ in 0..20 {
        assert!(host.talk(&mut link, 5201, &request, true) == request);
    }
    // The services are as they were.
    assert_eq!(host.talk(&mut link, 7, b"echo", true), b"echo");
}

/// A program that ends before the host does.
struct Greeting(Option<&'static [u8]>);

impl Remote for Greeting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let text = self.0.take().unwrap_or_default();
        buffer[..text.len()].copy_from_slice(text);
        Ok(text.len())
    }

    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        Ok(data.len())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn end_of_the_program_first() {
    let forward = Forward::new(5201, || Ok(Box::new(Greeting(Some(b"welcome")))));
    let (mut link, mut host) = connected(forward);
    assert_eq!(host.talk(&mut link, 5201, b"ignored", false), b"welcome");
}

#[test]
fn nobody_behind_the_port() {
    let forward = Forward::new(5201, || Err(ErrorKind::ConnectionRefused.into()));
    let (mut link, mut host) = connected(forward);
    let handle = host.connect(5201);
    host.run(&mut link, |host| {
        (!host.socket(handle).is_open()).then_some(())
    });
    // The port of a service is not passed on.
    link.engine.forward(Forward::new(7, || unreachable!()));
    let linkid = link.set_up(0, ip(2)).unwrap();
    let mut host = IpHost::new(&link, linkid, 2);
    assert_eq!(host.talk(&mut link, 7, b"echo", true), b"echo");
}
