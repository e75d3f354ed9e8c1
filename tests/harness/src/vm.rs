// SPDX-License-Identifier: GPL-2.0

//! A virtual machine with its modems.

use std::{
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    config::Place,
    guest::{Guest, Running},
    machine::Machine,
    modem::Modem,
    output::Output,
    process::Process,
};

/// Limit for a boot: emulated, on a shared machine, with sanitizers.
const BOOT: Duration = Duration::from_secs(600);
/// Time for the kernel to report something.
pub const SOON: Duration = Duration::from_secs(60);

/// Seconds after which a storm ends by itself.
const STORM: u64 = 300;
/// The guest's file that ends a storm.
const ENOUGH: &str = "/tmp/enough";

pub struct Vm {
    pub machine: Machine,
    pub guest: Guest,
    /// The kernel's console.
    pub kernel: Output,
    pub modems: Vec<Modem>,
    qemu: Process,
    pub logs: PathBuf,
    /// Whether transfers have as many bytes as in a release's tests.
    pub long: bool,
    /// Whether to keep the results of the stack in C.
    pub keep: bool,
    // Last, so that the sockets outlive the processes that use them.
    _dir: TempDir,
}

impl Vm {
    pub fn boot(place: &Place, boards: usize, logs: &Path) -> Result<Self> {
        Self::boot_with(place, boards, false, logs)
    }

    /// The same with modems that run before the machine does if `modem_first` is set.
    pub fn boot_with(place: &Place, boards: usize, modem_first: bool, logs: &Path) -> Result<Self> {
        std::fs::create_dir_all(logs)?;
        let dir = tempfile::Builder::new().prefix("caif-vm-").tempdir()?;
        let modems = (0..boards)
            .map(|index| Modem::start(place, modem_first, dir.path(), logs, index))
            .collect::<Result<Vec<_>>>()?;
        let agent = dir.path().join("agent");
        let listener = UnixListener::bind(&agent)?;
        let mut command = Command::new(&place.run_vm);
        command.arg("--agent").arg(&agent);
        for modem in &modems {
            command.arg(place.machine.option()).arg(&modem.socket);
        }
        command.arg(&place.initramfs);
        let qemu = Process::start("kernel", command, logs)?;
        let kernel = qemu.output.clone();
        let guest = Guest::accept(&listener, BOOT).with_context(|| {
            format!("the machine did not boot:\n{}", kernel.tail(20).join("\n"))
        })?;
        Ok(Self {
            machine: place.machine,
            guest,
            kernel,
            modems,
            qemu,
            logs: logs.to_owned(),
            long: false,
            keep: false,
            _dir: dir,
        })
    }

    /// Returns the number of bytes of a transfer that has `long` bytes in a long run.
    pub fn bytes(&self, long: u64) -> u64 {
        if self.long { long } else { long / 5 }
    }

    /// Loads a module with all it needs.
    pub fn modprobe(&mut self, module: &str) -> Result<()> {
        self.guest.ok(&format!("modprobe {module}")).map(|_| ())
    }

    /// Starts a traffic generator, by its arguments, and waits until its traffic flows.
    pub fn start_flowing(&mut self, traffic: &str, seconds: u64) -> Result<Running> {
        self.guest.ok(&format!(
            "rm -f /tmp/flowing {ENOUGH} && mkfifo /tmp/flowing"
        ))?;
        let running = self.guest.start_for(
            &format!("guest-tool {traffic} --flowing /tmp/flowing"),
            seconds,
        )?;
        self.guest
            .ok("cat /tmp/flowing")
            .context("no traffic began to flow")?;
        Ok(running)
    }

    /// Starts pings that continue until [`end_storm`](Self::end_storm), and waits for the first
    /// answer.
    pub fn start_storm(&mut self, pings: &str) -> Result<Running> {
        self.start_flowing(&format!("ping {pings} --until {ENOUGH}"), STORM)
    }

    /// Starts opening and closing sockets until [`end_storm`](Self::end_storm), and waits for the
    /// first channel.
    pub fn start_churn(&mut self) -> Result<Running> {
        self.start_flowing(&format!("churn --until {ENOUGH}"), STORM)
    }

    /// Ends such traffic. Returns its output.
    pub fn end_storm(&mut self, storm: Running) -> Result<String> {
        self.guest.ok(&format!("touch {ENOUGH}"))?;
        storm.ok()
    }

    /// Waits until the kernel's log has the text, at or after the mark.
    pub fn kernel_says(&self, mark: usize, text: &str) -> Result<String> {
        self.kernel.wait_for(mark, text, SOON).context("kernel log")
    }

    /// Returns the network interfaces, those that the kernel makes by itself aside.
    pub fn netdevs(&mut self) -> Result<Vec<String>> {
        let names = self.guest.ok("cd /sys/class/net && echo */")?;
        Ok(names
            .split_whitespace()
            .map(|name| name.trim_end_matches('/'))
            .filter(|name| *name != "lo")
            .map(str::to_owned)
            .collect())
    }

    /// Shuts the machine down in an orderly way and checks that it, and then the modems, end.
    pub fn shut_down(mut self) -> Result<()> {
        // init shuts down at the agent's end, so that this command is not answered.
        drop(self.guest.start("kill $PPID")?);
        ensure!(
            self.qemu
                .exited(SOON)
                .is_some_and(|status| status.success()),
            "the machine did not end by itself"
        );
        for modem in &mut self.modems {
            modem.end()?;
        }
        Ok(())
    }
}
