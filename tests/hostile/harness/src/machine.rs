// SPDX-License-Identifier: GPL-2.0

//! The machine: ivshmem server, hostile modem, QEMU, and in it the driver and the reflector.

use std::{os::unix::net::UnixListener, path::Path, process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use harness::{
    config::Place,
    guest::{Guest, Running},
    klog, leaks,
    link::FIRMWARE,
    output::Output,
    process::Process,
};
use hostile::{execute::Counters, protocol::Request, step::Step};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::modem::{Modem, START};

/// Time limit of a boot: emulated, with sanitizers, on a shared host.
const BOOT: Duration = Duration::from_secs(240);
/// Time limit for a line of the kernel's log.
const SOON: Duration = Duration::from_secs(60);
const REMOTEPROC: &str = "r=$(echo /sys/class/remoteproc/remoteproc*)";

pub struct Machine {
    pub guest: Guest,
    pub kernel: Output,
    pub modem: Modem,
    /// The module with the driver of the remote processor.
    board: &'static str,
    /// The firmware that is booted.
    firmware: String,
    /// Whether the CAIF stack is loaded and used.
    stack: bool,
    mark: u32,
    /// The guest's counters at the end of the last case, if nothing has changed since.
    pub last_report: Option<Counters>,
    /// The number of lines of the kernel's log that were checked for complaints.
    checked: usize,
    _reflector: Running,
    qemu: Process,
    server: Process,
    // Dropped last, so that the sockets outlive the processes that use them.
    _dir: TempDir,
}

impl Machine {
    /// Boots the machine, with firmware of a name. The output of its processes goes to files in
    /// `logs`.
    pub fn boot(place: &Place, firmware: &str, logs: &Path) -> Result<Self> {
        std::fs::create_dir_all(logs)?;
        let dir = tempfile::Builder::new().prefix("caif-hostile-").tempdir()?;
        let socket = dir.path().join("iv");
        let command = place.machine.server(&place.modem_bin, &socket);
        let server = Process::start("ivshmem-server", command, logs)?;
        server
            .output
            .wait_for(0, "listening", START)
            .context("ivshmem-server")?;
        let program = place.modem_bin.join("caif-hostile");
        let modem = Modem::start(&program, &socket, dir.path(), logs)?;

        let agent = dir.path().join("agent");
        let listener = UnixListener::bind(&agent)?;
        let mut command = Command::new(&place.run_vm);
        command.arg("--agent").arg(&agent);
        command.arg(place.machine.option()).arg(&socket);
        command.arg(&place.initramfs);
        let qemu = Process::start("kernel", command, logs)?;
        let kernel = qemu.output.clone();
        let mut guest = Guest::accept(&listener, BOOT).with_context(|| {
            format!("the machine did not boot:\n{}", kernel.tail(20).join("\n"))
        })?;
        // No rate limit: each line about a fault is checked.
        guest.ok("echo 0 >/proc/sys/net/core/message_cost")?;
        // The scans of kmemleak's own thread would only take time. A kernel that was booted without
        // kmemleak refuses the command.
        guest.ok(
            "grep -q kmemleak=off /proc/cmdline || [ ! -e /sys/kernel/debug/kmemleak ] || \
             echo scan=off >/sys/kernel/debug/kmemleak",
        )?;
        let reflector = guest.start_for("guest-tool reflect", 24 * 3600)?;
        guest.ok(&format!(
            "cp /lib/firmware/{firmware}.elf {FIRMWARE} && \
             modprobe caif_virtio && modprobe {}",
            place.machine.board()
        ))?;
        let mut machine = Self {
            guest,
            kernel,
            modem,
            board: place.machine.board(),
            firmware: firmware.to_owned(),
            stack: false,
            mark: 0,
            last_report: None,
            checked: 0,
            _reflector: reflector,
            qemu,
            server,
            _dir: dir,
        };
        machine.modem.demand(&Request::WaitLink(None, 0))?;
        machine.report().context("no frame passes after boot")?;
        let bad = machine.complaints(&[]);
        ensure!(bad.is_empty(), "the kernel complains:\n{}", bad.join("\n"));
        Ok(machine)
    }

    /// Passes a frame each way, and returns the guest's counters. Afterwards the log has all lines
    /// that the kernel printed before.
    pub fn report(&mut self) -> Result<Counters> {
        self.mark += 1;
        let place = self.kernel.mark();
        let counters = self.modem.report(self.mark)?;
        let text = format!("guest-tool: mark {}", self.mark);
        self.kernel
            .wait_until(place, SOON, &text, |line| line.ends_with(&text))?;
        ensure!(
            counters.contains_key("ifindex"),
            "the guest does not say which link it reports of"
        );
        Ok(counters)
    }

    /// Returns the kernel's complaints since the last call, without lines that have one of these
    /// texts.
    pub fn complaints(&mut self, allowed: &[String]) -> Vec<String> {
        let lines = self.kernel.since(self.checked);
        self.checked += lines.len();
        klog::bad_lines(&lines)
            .into_iter()
            .filter(|line| !allowed.iter().any(|text| line.contains(text)))
            .map(str::to_owned)
            .collect()
    }

    /// Loads the CAIF stack and lets the guest use it, or ends that and removes it.
    pub fn use_stack(&mut self, on: bool) -> Result<()> {
        if self.stack == on {
            return Ok(());
        }
        let switch = Request::Step(Box::new(Step::Stack { on }));
        if on {
            self.guest.ok("modprobe caif")?;
            self.modem.demand(&switch)?;
        } else {
            self.modem.demand(&switch)?;
            self.guest.unload_unused("caif")?;
        }
        self.stack = on;
        self.last_report = None;
        Ok(())
    }

    /// Boots firmware of a name, unless it runs already.
    pub fn use_firmware(&mut self, name: &str) -> Result<()> {
        if self.firmware == name {
            return Ok(());
        }
        let (_, links) = self.modem.state()?;
        self.switch_firmware(name)?;
        self.modem.demand(&Request::WaitLink(None, links))
    }

    /// Stops the modem and starts it with firmware of that name.
    pub fn switch_firmware(&mut self, name: &str) -> Result<()> {
        self.try_firmware(name, "")
    }

    /// Stops the modem and starts it with firmware of that name, which may be refused.
    pub fn try_bad_firmware(&mut self, name: &str) -> Result<()> {
        self.try_firmware(name, "|| true")
    }

    fn try_firmware(&mut self, name: &str, or: &str) -> Result<()> {
        self.guest.ok(&format!(
            "{REMOTEPROC}; [ $(cat $r/state) = offline ] || echo stop >$r/state && \
             echo {name}.elf >$r/firmware && {{ echo start >$r/state {or}; }}"
        ))?;
        name.clone_into(&mut self.firmware);
        self.last_report = None;
        Ok(())
    }

    /// Stops the modem and starts it with the same firmware.
    pub fn reboot(&mut self) -> Result<()> {
        let name = self.firmware.clone();
        self.try_firmware(&name, "")
    }

    /// Stops the modem, starts it with the same firmware, and waits for the link.
    pub fn restart(&mut self) -> Result<()> {
        let (_, links) = self.modem.state()?;
        self.reboot()?;
        self.modem.demand(&Request::WaitLink(None, links))
    }

    /// Unbinds the driver from the device and binds it again. `fails` is whether binding must fail.
    pub fn rebind(&mut self, fails: bool) -> Result<()> {
        let command = "cd /sys/bus/virtio/drivers/caif_virtio && \
             device=$(ls -d virtio[0-9]*) && echo $device >unbind && echo $device >bind";
        if fails {
            self.guest.fails(command)?;
        } else {
            self.guest.ok(command)?;
        }
        Ok(())
    }

    /// Waits for a line of the kernel's log.
    pub fn says(&self, mark: usize, text: &str) -> Result<()> {
        self.kernel.wait_for(mark, text, SOON).map(|_| ())
    }

    /// Removes the modules, and checks that nothing of them is left and that no memory leaked.
    pub fn look_for_leaks(&mut self) -> Result<()> {
        // lockdep switches itself off after its first complaint, or when its memory is full.
        let stats = "/proc/lockdep_stats";
        self.guest
            .ok(&format!(
                "[ ! -e {stats} ] || grep 'debug_locks: *1$' {stats}"
            ))
            .context("lockdep has stopped to look")?;
        self.use_stack(false)?;
        leaks::scan(&mut self.guest).context("with the modules loaded")?;
        let board = self.board;
        self.guest
            .ok(&format!("rmmod {board} && rmmod caif_virtio"))?;
        let left = self
            .guest
            .ok("ls /sys/class/remoteproc /sys/bus/virtio/devices | grep -v : || true")?;
        ensure!(left.trim().is_empty(), "left behind: {left}");
        leaks::scan(&mut self.guest).context("with the modules removed")
    }

    /// Ends the machine, which must shut down in an orderly way and without a complaint.
    pub fn shut_down(mut self) -> Result<()> {
        // init shuts the machine down when the agent ends, so there is no answer to this command.
        drop(self.guest.start("kill $PPID")?);
        ensure!(
            self.qemu
                .exited(SOON)
                .is_some_and(|status| status.success()),
            "the machine did not end by itself"
        );
        let bad = self.complaints(&[]);
        ensure!(bad.is_empty(), "the kernel complains:\n{}", bad.join("\n"));
        self.modem.end()?;
        self.server.signal(Signal::SIGTERM)?;
        self.server.must_end_well(START)
    }
}
