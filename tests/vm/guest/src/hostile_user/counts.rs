// SPDX-License-Identifier: GPL-2.0

//! Results of the calls, in memory that all tasks share, so that those of a killed task count.

#![expect(unsafe_code, reason = "memory that processes share")]

use std::{
    collections::BTreeMap,
    fmt::Write,
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use anyhow::{Result, ensure};

macro_rules! calls {
    ($($name:ident $text:literal,)*) => {
        /// A kind of call that is counted.
        #[derive(Clone, Copy, Debug)]
        pub enum Call { $($name,)* }
        const NAMES: &[&str] = &[$($text,)*];
    };
}

calls! {
    Socket "socket",
    Connect "connect, as it should be",
    ConnectWild "connect",
    Send "send, as it should be",
    SendWild "send",
    Receive "receive, as it should be",
    ReceiveWild "receive",
    Dialogue "dialogue with the modem",
    SetCaif "setsockopt SOL_CAIF",
    GetCaif "getsockopt SOL_CAIF",
    Set "setsockopt",
    Get "getsockopt",
    Filter "SO_ATTACH_FILTER",
    Never "calls that there are not",
    Nobody "socket without a capability",
    Poll "poll, epoll",
    Control "fcntl",
    Dup "dup",
    Close "close",
    Fork "fork",
    Pass "SCM_RIGHTS",
    Splice "splice",
    Newlink "newlink, as it should be",
    NewlinkWild "newlink",
    Changelink "changelink",
    Dellink "dellink",
    Getlink "getlink",
    Setlink "setlink",
    Up "interface set up",
    Carrier "interface with a carrier",
    Down "interface set down",
    Move "interface to another namespace",
    Datagram "datagram that came back",
    List "list of channels opened",
    ListRead "list of channels read",
    PacketSocket "packet socket",
    PacketSend "packet sent",
    PacketReceive "packet received",
    LinkDown "link down and up",
    LinkChange "link changed",
    LinkMove "link to another namespace",
    LinkRebind "driver unbound and bound",
    Namespace "namespace",
    NamespaceConnect "connect in a namespace",
    ModuleRemove "module removed",
    ModuleLoad "module loaded",
    UserNamespace "user namespace",
    Tun "tun as a link",
    TunFrame "frame from a tun",
    TunUp "interface over a tun with a carrier",
    TunConnect "connect over a tun",
    Failed "calls with an allocation that failed",
}

const CALLS: usize = NAMES.len();
/// Errors of system calls that a user may see; the last place is for others.
const ERRNOS: usize = 134;

/// The shared memory of the tasks. It starts as zeroes.
#[repr(C)]
pub struct Shared {
    /// By call and error, 0 for none.
    counts: [[AtomicU32; ERRNOS + 1]; CALLS],
    /// Faults that were seen.
    faults: AtomicU32,
    /// The time is over.
    pub over: AtomicBool,
    /// 1 for tasks to close all sockets, and make none. A futex.
    pub quiet: AtomicU32,
}

impl Shared {
    /// Makes the memory, which exists as long as any of the processes.
    pub fn new() -> Result<&'static Self> {
        // SAFETY: The kernel chooses the place.
        let memory = unsafe {
            libc::mmap(
                null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(memory != libc::MAP_FAILED, "no memory to share");
        // SAFETY: It is zeroed, aligned to a page, large enough and never unmapped, and all in it
        // is atomic.
        Ok(unsafe { &*memory.cast::<Self>() })
    }

    /// Counts a call.
    pub fn count(&self, call: Call, errno: i32) {
        let place = usize::try_from(errno).unwrap_or(ERRNOS).min(ERRNOS);
        self.counts[call as usize][place].fetch_add(1, Relaxed);
        if place == ERRNOS {
            self.fault(&format!(
                "{call:?} fails with {errno}, which is no error of users"
            ));
        }
    }

    /// Reports a fault.
    pub fn fault(&self, what: &str) {
        if self.faults.fetch_add(1, Relaxed) < 20 {
            println!("FAULT: {what}");
        }
    }

    /// Returns the number of faults.
    pub fn faults(&self) -> u32 {
        self.faults.load(Relaxed)
    }

    /// Returns the number of times that each call was made, and that it succeeded.
    pub fn totals(&self) -> BTreeMap<&'static str, (u32, u32)> {
        NAMES
            .iter()
            .zip(&self.counts)
            .map(|(name, by_errno)| {
                let all = by_errno.iter().map(|count| count.load(Relaxed)).sum();
                (*name, (all, by_errno[0].load(Relaxed)))
            })
            .collect()
    }

    /// Returns a table of all calls, with their most frequent errors.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for (name, by_errno) in NAMES.iter().zip(&self.counts) {
            let counts: Vec<_> = by_errno.iter().map(|count| count.load(Relaxed)).collect();
            let all: u32 = counts.iter().sum();
            if all == 0 {
                continue;
            }
            let mut errors: Vec<_> = counts.iter().enumerate().skip(1).collect();
            errors.retain(|(_, count)| **count > 0);
            errors.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let errors: Vec<_> = errors
                .iter()
                .take(6)
                .map(|(errno, count)| {
                    let name = nix::errno::Errno::from_raw(*errno as i32);
                    format!("{count} {name:?}")
                })
                .collect();
            let _ = writeln!(
                table,
                "{name:36} {all:7} {:7}  {}",
                counts[0],
                errors.join(", ")
            );
        }
        table
    }
}
