// SPDX-License-Identifier: GPL-2.0

//! Runs of the guest's hostile user, and the checks after each.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use crate::{guest::Answer, link::STACK, vm::Vm};

/// Seconds in which the guest's tool ends, with or without success.
const LIMIT: u64 = 1200;
/// The time for which a modem is silent.
const SILENCE: Duration = Duration::from_millis(600);

/// The peer or condition of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// A modem that answers.
    Modem,
    /// A modem that sends invalid frames as well.
    Noise,
    /// The same for a moment, in which a slow machine has little time for anything else.
    SomeNoise,
    /// A modem that is silent most of the time.
    Silence,
    /// Failing allocations, in calls of the user.
    Faults,
    /// Failing allocations, in calls of the user and in the stack for all callers.
    StackFaults,
    /// The link, the driver and the stack, which go and come back.
    Links,
    /// A modem of the user's own, behind a tun.
    Tun,
}

type Floors = &'static [(&'static str, u64)];

/// Calls that must succeed often enough to be a test, with their numbers. Until then the run
/// continues.
const ANSWERED: Floors = &[
    ("socket", 100),
    ("connect, as it should be", 30),
    ("send, as it should be", 30),
    ("receive, as it should be", 10),
    ("dialogue with the modem", 10),
    ("setsockopt SOL_CAIF", 2),
    ("newlink, as it should be", 4),
    ("interface set up", 4),
    ("interface with a carrier", 3),
    ("datagram that came back", 1),
    ("list of channels read", 2),
    ("packet sent", 20),
    ("packet received", 10),
];

/// The same where the kernel has user namespaces: without one the user is root, who may do all.
const USER_NAMESPACES: (&str, u64) = ("user namespace", 1);

fn has_user_namespaces(vm: &mut Vm) -> Result<bool> {
    Ok(vm.guest.run("[ -e /proc/self/ns/user ]")?.status == 0)
}

impl Against {
    /// Returns the arguments of the guest's tool.
    fn args(self) -> String {
        let common = "--parts sockets,interfaces,packets";
        match self {
            Self::Modem | Self::Noise | Self::SomeNoise | Self::Silence => common.to_owned(),
            Self::Faults => format!("{common} --faults"),
            Self::StackFaults => format!("{common} --faults --stack-faults"),
            Self::Links => format!("{common},links --module $(echo /lib/modules/*/{STACK}.ko)"),
            Self::Tun => "--parts sockets,tun --tasks 1".to_owned(),
        }
    }

    fn floors(self) -> Floors {
        match self {
            Self::Modem => ANSWERED,
            Self::Noise => &[
                ("dialogue with the modem", 5),
                ("interface with a carrier", 1),
            ],
            Self::SomeNoise => &[
                ("socket", 100),
                ("connect, as it should be", 2),
                ("newlink, as it should be", 2),
                ("packet sent", 20),
                ("packet received", 10),
            ],
            Self::Silence => &[
                ("socket", 40),
                ("connect, as it should be", 5),
                ("newlink, as it should be", 2),
            ],
            Self::Faults | Self::StackFaults => &[
                ("calls with an allocation that failed", 20),
                ("dialogue with the modem", 4),
                ("newlink, as it should be", 2),
            ],
            // Each once.
            Self::Links => &[
                ("dialogue with the modem", 4),
                ("link down and up", 1),
                ("link to another namespace", 1),
                ("driver unbound and bound", 1),
                ("module loaded", 1),
            ],
            Self::Tun => &[
                ("tun as a link", 2),
                ("frame from a tun", 50),
                ("interface over a tun with a carrier", 1),
                ("connect over a tun", 5),
            ],
        }
    }

    /// Lets the user make calls for a number of seconds, and returns their results. Afterwards
    /// channels must work without help, and nothing else is left.
    pub fn run(self, vm: &mut Vm, seed: u64, seconds: u64) -> Result<String> {
        let is_noisy = matches!(self, Self::Noise | Self::SomeNoise);
        if is_noisy {
            restart(vm, true)?;
        }
        if self == Self::Tun {
            vm.modprobe("tun")?;
        }
        let called = self.call(vm, seed, seconds);
        if is_noisy {
            restart(vm, false)?;
        }
        let out = called.with_context(|| format!("{self:?}, seed {seed}"))?;
        works(vm, self).with_context(|| format!("after {self:?}, seed {seed}:\n{out}"))?;
        Ok(out)
    }

    /// Runs the guest's tool, which ends by itself.
    fn call(self, vm: &mut Vm, seed: u64, seconds: u64) -> Result<String> {
        let of_users = self == Self::Tun && has_user_namespaces(vm)?;
        let wants = self.floors().iter();
        let wants: String = wants
            .chain(of_users.then_some(&USER_NAMESPACES))
            .map(|(call, floor)| format!(" --want '{call}={floor}'"))
            .collect();
        let command = format!(
            "guest-tool hostile-user --seed {seed} --seconds {seconds} {}{wants}",
            self.args()
        );
        let running = vm.guest.start_for(&command, LIMIT)?;
        let answer = loop {
            if self != Self::Silence {
                break running.wait()?;
            }
            // Shorter than the board's limit for the modem's heartbeat.
            vm.modems[0].process.signal(Signal::SIGSTOP)?;
            let ended = running.ended_within(SILENCE);
            vm.modems[0].process.signal(Signal::SIGCONT)?;
            if let Some(answer) = ended? {
                break answer;
            }
            if let Some(answer) = running.ended_within(SILENCE / 4)? {
                break answer;
            }
        };
        let Answer { status, out } = answer;
        ensure!(status == 0, "exit status {status}\n{out}");
        Ok(out)
    }
}

fn restart(vm: &mut Vm, noise: bool) -> Result<()> {
    let mark = vm.kernel.mark();
    vm.modems[0].noise = noise;
    vm.modems[0].stop()?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up")
        .map(|_| ())
}

/// Checks that old and new sockets and interfaces work, and that nothing of the user is left.
fn works(vm: &mut Vm, after: Against) -> Result<()> {
    if after != Against::Links {
        // On a slow machine the modem's heartbeat may be missed, and the link is a new one.
        vm.guest.ok(
            "guest-tool until --net '[ ! -e /sys/class/net/cfvrt0 ] || ip link set cfvrt0 up; \
             [ \"$(cat /sys/class/net/caif0/carrier)\" = 1 ]'",
        )?;
    }
    if after == Against::Links {
        // The interface went with the stack.
        vm.guest
            .ok("[ ! -e /sys/class/net/caif0 ] || ip link del caif0")?;
        vm.ip_up(0)?;
    }
    vm.is_back(0)?;
    vm.traffic()?;
    vm.guest
        .ok("guest-tool sockets blocking_connect packets stream")?;
    vm.sockets_are_freed()?;
    if after == Against::Tun {
        vm.guest.ok("rmmod tun")?;
    }
    // An interface that was made by a corrupted message may have any name.
    vm.guest
        .ok("cd /sys/class/net && for i in */; do i=${i%/}; \
             case $i in lo | cfvrt0 | caif0) ;; *) ip link del $i || exit ;; esac; done")?;
    Ok(())
}
