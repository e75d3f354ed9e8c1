// SPDX-License-Identifier: GPL-2.0

//! A task: a process with random numbers of its own, memory for the arguments of its calls, and
//! signals that interrupt it.
//!
//! The calls depend on the random numbers only, not on results.

#![expect(unsafe_code, reason = "system calls with any arguments")]

use std::{
    fs::OpenOptions, io::Write, ptr::null_mut, sync::atomic::Ordering::Relaxed, time::Duration,
};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use nix::{
    sys::{
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
        wait::waitpid,
    },
    unistd::{ForkResult, fork},
};

use super::{
    World,
    counts::{Call, Shared},
};

/// A page, however large the kernel's pages are.
const PAGE: usize = 1 << 16;
/// Bytes of memory for arguments.
pub const ROOM: usize = 1 << 18;

/// Memory for the arguments of calls. Nothing in Rust refers to it, so that the kernel may write
/// anything there.
pub struct Arena(usize);

impl Arena {
    fn new() -> Result<Self> {
        // SAFETY: The kernel chooses the place.
        let base = unsafe {
            libc::mmap(
                null_mut(),
                ROOM + 3 * PAGE,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        ensure!(base != libc::MAP_FAILED, "no memory for arguments");
        let base = base as usize;
        let protect = |at: usize, len, how| {
            // SAFETY: The memory was just mapped and is used by nobody.
            unsafe { libc::mprotect(at as *mut libc::c_void, len, how) }
        };
        let (read, write) = (libc::PROT_READ, libc::PROT_WRITE);
        ensure!(protect(base, ROOM, read | write) == 0, "mprotect");
        ensure!(protect(base + ROOM + PAGE, PAGE, read) == 0, "mprotect");
        Ok(Self(base))
    }

    /// Returns the address of a byte.
    pub fn at(&self, offset: usize) -> usize {
        self.0 + offset % ROOM
    }

    /// Returns the first address that is not to be used.
    pub fn end(&self) -> usize {
        self.0 + ROOM
    }

    /// Returns the address of a page that can only be read.
    fn constant(&self) -> usize {
        self.0 + ROOM + PAGE
    }

    /// Writes bytes, and returns their address.
    pub fn put(&self, offset: usize, bytes: &[u8]) -> usize {
        assert!(offset + bytes.len() <= ROOM, "beyond the memory");
        let to = self.at(offset);
        // SAFETY: There is room for as many bytes, which nothing refers to.
        unsafe { (to as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        to
    }

    /// Reads bytes.
    pub fn get(&self, offset: usize, len: usize) -> Vec<u8> {
        assert!(offset + len <= ROOM, "beyond the memory");
        let mut bytes = vec![0; len];
        // SAFETY: There are as many bytes, all of which are initialized.
        unsafe {
            bytes
                .as_mut_ptr()
                .copy_from_nonoverlapping(self.at(offset) as *const u8, len)
        };
        bytes
    }
}

/// A task.
pub struct Task {
    pub rng: Rng,
    pub arena: Arena,
    pub shared: &'static Shared,
    pub world: World,
    /// One in this number of calls has a failing allocation; 0 for none.
    fail_one_in: u32,
}

impl Task {
    /// Makes the task of the calling process.
    pub fn new(seed: u64, shared: &'static Shared, world: &World) -> Result<Self> {
        catch_signals()?;
        Ok(Self {
            rng: Rng::with_seed(seed),
            arena: Arena::new()?,
            shared,
            world: world.clone(),
            fail_one_in: if world.faults { 4 } else { 0 },
        })
    }

    /// Returns whether the time is over.
    pub fn is_over(&self) -> bool {
        self.shared.over.load(Relaxed)
    }

    /// Makes a system call that is not counted.
    pub fn raw(&self, number: libc::c_long, args: &[usize]) -> Result<usize, i32> {
        let arg = |index: usize| args.get(index).copied().unwrap_or(0);
        // SAFETY: Addresses that the kernel writes to are in the arena, which nothing in Rust
        // refers to, or cannot be written to.
        let result =
            unsafe { libc::syscall(number, arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)) };
        usize::try_from(result).map_err(|_| {
            std::io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(i32::MAX)
        })
    }

    /// Makes a system call and counts its result. Where faults are wanted one of its allocations
    /// may fail.
    pub fn sys(&mut self, call: Call, number: libc::c_long, args: &[usize]) -> Result<usize, i32> {
        let result = self.faulty(number, args);
        self.shared.count(call, result.err().unwrap_or(0));
        result
    }

    /// Makes a system call without counting it. Where faults are wanted one of its allocations may
    /// fail.
    pub fn faulty(&mut self, number: libc::c_long, args: &[usize]) -> Result<usize, i32> {
        let fails = self.fail_one_in != 0 && self.rng.u32(..self.fail_one_in) == 0;
        if !fails {
            return self.raw(number, args);
        }
        // The kernel counts allocations of the task until one fails.
        let Some(mut file) = fail_nth(self.rng.u32(1..40)) else {
            return self.raw(number, args);
        };
        let result = self.raw(number, args);
        let _ = file.write_all(b"0");
        self.shared.count(Call::Failed, result.err().unwrap_or(0));
        result
    }

    /// Lets no allocation of this task fail any more.
    pub fn without_faults(&mut self) {
        self.fail_one_in = 0;
    }

    /// Returns an address that is invalid, or valid for some bytes only.
    pub fn bad_address(&mut self) -> usize {
        let places = [
            0,
            1,
            usize::MAX,
            0xffff_8880_0000_1000,
            self.arena.end(),
            self.arena.end() - 3,
            self.arena.constant(),
        ];
        places[self.rng.usize(..places.len())]
    }

    /// Chooses an element, with the probability of its weight.
    pub fn pick<T: Copy>(&mut self, table: &[(u32, T)]) -> T {
        let all: u32 = table.iter().map(|(weight, _)| weight).sum();
        let mut left = self.rng.u32(..all);
        for (weight, choice) in table {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        unreachable!("the weights have a sum")
    }

    /// Returns true with a probability in percent.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// Sets the periods at which calls are interrupted: by a signal that ends them, and by one
    /// after which they are restarted.
    pub fn set_alarms(&mut self) {
        let micros = self.rng.u64(20_000..150_000);
        self.alarm_every(micros);
        // By the CPU time of the process.
        let micros = self.rng.u64(3_000..30_000);
        self.set_timer(libc::ITIMER_PROF, micros);
    }

    /// Interrupts calls periodically.
    pub fn alarm_every(&self, micros: u64) {
        self.set_timer(libc::ITIMER_REAL, micros);
    }

    fn set_timer(&self, which: libc::c_int, micros: u64) {
        let value: Vec<u8> = [0, micros, 0, micros]
            .iter()
            .flat_map(|part| part.to_ne_bytes())
            .collect();
        let at = self.arena.put(0, &value);
        let _ = self.raw(libc::SYS_setitimer, &[which as usize, at]);
    }

    /// Waits for a time, in spite of signals.
    pub fn pause(&self, ms: u64) {
        std::thread::sleep(Duration::from_millis(ms));
    }

    /// Has all tasks close their sockets and make none, or lets them go on.
    pub fn hush(&self, quiet: bool) {
        let word = &self.shared.quiet;
        word.store(quiet.into(), Relaxed);
        if !quiet {
            let all = i32::MAX as usize;
            let _ = self.raw(
                libc::SYS_futex,
                &[word.as_ptr() as usize, libc::FUTEX_WAKE as usize, all],
            );
        }
    }

    /// Whether this task is to have no sockets.
    pub fn is_hushed(&self) -> bool {
        self.shared.quiet.load(Relaxed) != 0 && !self.is_over()
    }

    /// Waits while that is so. At the end of the time an alarm ends the wait.
    pub fn wait_hushed(&self) {
        let word = self.shared.quiet.as_ptr() as usize;
        while self.is_hushed() {
            let _ = self.raw(libc::SYS_futex, &[word, libc::FUTEX_WAIT as usize, 1, 0]);
        }
    }

    /// Runs a function in a process of its own, which ends with it. Returns the process.
    pub fn spawn(&mut self, f: impl FnOnce(&mut Self)) -> Result<nix::unistd::Pid> {
        let seed = self.rng.u64(..);
        // SAFETY: The process has one thread.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(child),
            ForkResult::Child => {
                self.rng = Rng::with_seed(seed);
                f(self);
                // SAFETY: Nothing is left to do.
                unsafe { libc::_exit(0) }
            }
        }
    }
}

/// Waits for a child, in spite of signals.
pub fn reap(child: nix::unistd::Pid) {
    while waitpid(child, None) == Err(nix::errno::Errno::EINTR) {}
}

/// Lets an allocation of this task fail, the `n`th from now on.
fn fail_nth(n: u32) -> Option<std::fs::File> {
    let mut file = OpenOptions::new()
        .write(true)
        .open("/proc/thread-self/fail-nth")
        .ok()?;
    file.write_all(n.to_string().as_bytes()).ok()?;
    Some(file)
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// Sets empty handlers: signals only interrupt calls, and after some of them calls are restarted.
fn catch_signals() -> Result<()> {
    let ends = SaFlags::empty();
    for (signal, flags) in [
        (Signal::SIGALRM, ends),
        (Signal::SIGPIPE, ends),
        (Signal::SIGIO, SaFlags::SA_RESTART),
        (Signal::SIGURG, SaFlags::SA_RESTART),
        (Signal::SIGPROF, SaFlags::SA_RESTART),
        (Signal::SIGUSR1, SaFlags::SA_RESTART),
    ] {
        let action = SigAction::new(SigHandler::Handler(nothing), flags, SigSet::empty());
        // SAFETY: The handler does nothing.
        unsafe { sigaction(signal, &action) }.with_context(|| signal.to_string())?;
    }
    Ok(())
}
