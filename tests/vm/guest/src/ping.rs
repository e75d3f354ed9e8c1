// SPDX-License-Identifier: GPL-2.0

//! Ping with exact sizes, any number of them in flight, every payload byte compared.

#![expect(unsafe_code, reason = "a buffer that the kernel fills")]

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

use crate::{
    flowing::Flowing,
    pattern::{compare, payload},
};

#[derive(clap::Args)]
pub struct Args {
    /// Address to ping
    address: Ipv4Addr,
    /// Payload sizes
    #[arg(long, value_delimiter = ',', default_value = "56")]
    sizes: Vec<usize>,
    /// How often to ping with each size
    #[arg(long, default_value_t = 10)]
    count: u16,
    /// Number that may be unanswered at once
    #[arg(long, default_value_t = 1)]
    window: usize,
    /// Milliseconds after which a ping counts as lost
    #[arg(long, default_value_t = 5000)]
    timeout: u64,
    /// Ping until this file exists. The link may go down meanwhile: lost pings and failed sends are
    /// only counted
    #[arg(long, value_name = "FILE")]
    until: Option<PathBuf>,
    #[command(flatten)]
    flowing: Flowing,
}

impl Args {
    /// Makes the arguments for one ping, which must be answered in time.
    pub fn once(address: Ipv4Addr, timeout: Duration) -> Self {
        Self {
            address,
            sizes: vec![64],
            count: 1,
            window: 1,
            timeout: timeout.as_millis() as u64,
            until: None,
            flowing: Flowing::default(),
        }
    }
}

const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

#[derive(Default)]
struct Counts {
    sent: u64,
    received: u64,
    lost: u64,
    unsent: u64,
    rtts: Vec<Duration>,
}

struct Pinger {
    socket: Socket,
    address: SockAddr,
    id: u16,
    sequence: u16,
    pending: HashMap<u16, (usize, Instant)>,
    given_up: HashSet<u16>,
    counts: Counts,
    timeout: Duration,
    flowing: Flowing,
}

pub fn run(args: &Args) -> Result<()> {
    let mut pinger = Pinger::new(args)?;
    let endless = args.until.is_some();
    let told_to_end = || args.until.as_ref().is_some_and(|file| file.exists());
    loop {
        for &size in &args.sizes {
            let before = (pinger.counts.sent, pinger.counts.lost);
            for _ in 0..args.count {
                while pinger.pending.len() >= args.window.max(1) {
                    pinger.receive()?;
                }
                if let Err(error) = pinger.send(size) {
                    ensure!(endless, "cannot send {size} bytes: {error}");
                    pinger.counts.unsent += 1;
                    // Waiting for unanswered pings is the pause before the next attempt.
                    pinger.receive()?;
                }
                if told_to_end() {
                    break;
                }
            }
            while !pinger.pending.is_empty() {
                pinger.receive()?;
            }
            if !endless {
                println!(
                    "{size:5} bytes: {} sent, {} lost",
                    pinger.counts.sent - before.0,
                    pinger.counts.lost - before.1
                );
            }
        }
        if !endless || told_to_end() {
            break;
        }
    }
    let counts = &pinger.counts;
    let mean = counts
        .rtts
        .iter()
        .sum::<Duration>()
        .checked_div(u32::try_from(counts.received)?)
        .unwrap_or_default();
    println!(
        "{} packets transmitted, {} received, {:.0}% packet loss, {} not sent, rtt avg {mean:?} max {:?}",
        counts.sent,
        counts.received,
        100.0 * counts.lost as f64 / counts.sent.max(1) as f64,
        counts.unsent,
        counts.rtts.iter().max().copied().unwrap_or_default()
    );
    ensure!(
        endless || counts.lost == 0,
        "{} of {} pings lost; raw sockets had no room for {} packets",
        counts.lost,
        counts.sent,
        dropped(&fs::read_to_string("/proc/net/raw")?)
    );
    ensure!(counts.received > 0, "no answer at all");
    Ok(())
}

/// Pings one after the other. Returns the time of each. Each must be answered.
pub fn times(address: Ipv4Addr, size: usize, count: u16) -> Result<Vec<Duration>> {
    let args = Args {
        count,
        ..Args::once(address, Duration::from_secs(5))
    };
    let mut pinger = Pinger::new(&args)?;
    for _ in 0..count {
        pinger.send(size)?;
        while !pinger.pending.is_empty() {
            pinger.receive()?;
        }
    }
    let counts = pinger.counts;
    ensure!(counts.lost == 0, "{} of {count} pings lost", counts.lost);
    Ok(counts.rtts)
}

impl Pinger {
    fn new(args: &Args) -> Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))
            .context("cannot open a raw socket")?;
        let id = (std::process::id() & 0xffff) as u16;
        // A raw socket receives all ICMP packets: answers to other processes could fill its buffer.
        socket
            .attach_filter(&only(id))
            .context("cannot filter what the raw socket gets")?;
        Ok(Self {
            socket,
            address: SockAddr::from(SocketAddrV4::new(args.address, 0)),
            id,
            sequence: 0,
            pending: HashMap::new(),
            given_up: HashSet::new(),
            counts: Counts::default(),
            timeout: Duration::from_millis(args.timeout),
            flowing: args.flowing.clone(),
        })
    }

    fn send(&mut self, size: usize) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![ECHO_REQUEST, 0, 0, 0];
        packet.extend_from_slice(&self.id.to_be_bytes());
        packet.extend_from_slice(&self.sequence.to_be_bytes());
        packet.extend_from_slice(&payload(u64::from(self.sequence), size));
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
        self.socket.send_to(&packet, &self.address)?;
        self.counts.sent += 1;
        self.pending.insert(self.sequence, (size, Instant::now()));
        Ok(())
    }

    /// Receives one packet, or counts the pings whose time is over as lost.
    fn receive(&mut self) -> Result<()> {
        let oldest = self.pending.values().map(|&(_, at)| at).min();
        let left = oldest.map_or(Duration::from_millis(20), |at| {
            self.timeout.saturating_sub(at.elapsed())
        });
        self.socket
            .set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
        let mut buffer = [MaybeUninit::<u8>::uninit(); 65536];
        match self.socket.recv(&mut buffer) {
            Ok(len) => {
                let bytes: Vec<u8> = buffer[..len]
                    .iter()
                    // SAFETY: The system call wrote the first `len` bytes.
                    .map(|byte| unsafe { byte.assume_init() })
                    .collect();
                self.take(&bytes)?;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error).context("receiving"),
        }
        let timeout = self.timeout;
        for (sequence, _) in self
            .pending
            .extract_if(|_, (_, at)| at.elapsed() >= timeout)
        {
            self.counts.lost += 1;
            self.given_up.insert(sequence);
        }
        Ok(())
    }

    /// Checks a received IP packet, if it is an answer to one of this process's pings.
    fn take(&mut self, packet: &[u8]) -> Result<()> {
        let header = usize::from(packet.first().map_or(0, |b| b & 0x0f)) * 4;
        let Some([kind, _, _, _, id0, id1, seq0, seq1, body @ ..]) = packet.get(header..) else {
            return Ok(());
        };
        if *kind != ECHO_REPLY || u16::from_be_bytes([*id0, *id1]) != self.id {
            return Ok(());
        }
        let sequence = u16::from_be_bytes([*seq0, *seq1]);
        let Some((size, at)) = self.pending.remove(&sequence) else {
            ensure!(
                self.given_up.remove(&sequence),
                "an answer to ping {sequence} came twice"
            );
            return Ok(());
        };
        ensure!(
            checksum(&packet[header..]) == 0,
            "ping {sequence}: bad ICMP checksum"
        );
        if let Err(what) = compare(body, &payload(u64::from(sequence), size)) {
            bail!("ping {sequence}: {what}");
        }
        self.flowing.announce()?;
        self.counts.received += 1;
        self.counts.rtts.push(at.elapsed());
        Ok(())
    }
}

/// Returns a filter for IPv4 packets whose ICMP message has this identifier.
fn only(id: u16) -> [SockFilter; 5] {
    const LENGTH_OF_HEADER: u16 = (libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16;
    const HALF_AFTER_HEADER: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_IND) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

    [
        SockFilter::new(LENGTH_OF_HEADER, 0, 0, 0),
        SockFilter::new(HALF_AFTER_HEADER, 0, 0, 4),
        SockFilter::new(IF_EQUAL, 0, 1, id.into()),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}

/// Returns the number of packets that raw sockets had no room for: the last column of
/// `/proc/net/raw`.
fn dropped(raw: &str) -> u64 {
    let drops = |line: &str| line.split_whitespace().last()?.parse::<u64>().ok();
    raw.lines().skip(1).filter_map(drops).sum()
}

/// Returns the Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::dropped;

    #[test]
    fn drops_are_the_last_column() {
        let raw = "  sl  local_address rem_address   st inode ref pointer drops\n   \
                   1: 00000000:0001 00000000:0000 07 123 2 00000000aa 3\n   \
                   1: 00000000:0001 00000000:0000 07 124 2 00000000ab 4\n";
        assert_eq!(dropped(raw), 7);
        assert_eq!(dropped(""), 0);
    }
}
