// SPDX-License-Identifier: GPL-2.0

//! The set-up that most cases start from: modules loaded, one IP interface per modem.

use anyhow::{Context, Result, ensure};

use crate::vm::Vm;

/// The modem's address on channel 1, which the interface over link 0 asks for.
pub const MODEM: &str = "10.9.1.1";

/// The modem's address at the far end of `caif{index}`: it follows from the connection id.
pub fn modem_address(index: usize) -> String {
    format!("10.9.{}.1", index + 1)
}

pub const DRIVER: &str = "caif_virtio";
pub const BOARD: &str = "ivshmem_rproc";
const STACK: [&str; 2] = ["chnl_net", "caif_socket"];

/// Tells who dropped a packet.
pub const COUNTERS: &str = "guest-tool counters $(cd /sys/class/net && echo cfvrt* caif*); \
    grep Icmp: /proc/net/snmp; cat /proc/net/softnet_stat";

impl Vm {
    /// Loads every module, and waits for the links.
    pub fn load(&mut self) -> Result<()> {
        for module in STACK.into_iter().chain([DRIVER, BOARD]) {
            self.modprobe(module)?;
        }
        let count = self.modems.len();
        self.guest
            .ok(&format!("guest-tool wait-netdev 'cfvrt*' --count {count}"))
            .context("no CAIF link appeared")?;
        Ok(())
    }

    /// As [`up`](Self::up), with the stack of this project instead of the one in C. A case that
    /// uses it has to [`unload`](Self::unload) it in the end.
    pub fn up_on_caif_ko(&mut self) -> Result<()> {
        self.unload()?;
        self.guest.ok("insmod /caif.ko")?;
        for module in [DRIVER, BOARD] {
            self.modprobe(module)?;
        }
        self.guest
            .ok("guest-tool wait-netdev 'cfvrt*'")
            .context("no CAIF link appeared")?;
        self.ip_up(0)
    }

    /// Removes every module, in the order that their use of each other demands.
    pub fn unload(&mut self) -> Result<()> {
        self.unload_ours()?;
        for module in ["chnl_net", "caif_socket", "caif"] {
            self.wait_for_sockets_of(module)?;
            self.rmmod(&[module])?;
        }
        Ok(())
    }

    /// Waits until nobody uses a module of a stack: a socket keeps its own until it is freed, a
    /// moment after it was closed.
    fn wait_for_sockets_of(&mut self, module: &str) -> Result<()> {
        self.guest
            .ok(&format!(
                "for i in $(seq 200); do \
                 ! grep -q '^{module} [0-9]* [1-9]' /proc/modules || {{ usleep 50000; continue; }}; \
                 exit 0; done; cat /proc/modules; exit 1"
            ))
            .map(|_| ())
    }

    /// Removes the modules of this project and leaves the original CAIF stack.
    pub fn unload_ours(&mut self) -> Result<()> {
        self.guest
            .ok("for i in /sys/class/net/caif*; do [ ! -e $i ] || ip link del ${i##*/}; done")?;
        self.rmmod(&[BOARD, DRIVER])
    }

    fn rmmod(&mut self, modules: &[&str]) -> Result<()> {
        for module in modules {
            self.guest.ok(&format!(
                "! grep -q '^{module} ' /proc/modules || rmmod {module}"
            ))?;
        }
        Ok(())
    }

    /// The name of modem `index`'s link. The kernel numbers links in the order the modems boot,
    /// which is any; boards have the order of their PCI addresses.
    pub fn link(&mut self, index: usize) -> Result<String> {
        let boards = self
            .guest
            .ok("grep -lx 0x1110 /sys/bus/pci/devices/*/device")?;
        let board = boards
            .lines()
            .nth(index)
            .and_then(|path| path.split('/').rev().nth(1))
            .with_context(|| format!("no board {index} among {boards:?}"))?
            .to_owned();
        let links = self
            .guest
            .ok("for i in /sys/class/net/cfvrt*; do readlink -f $i; done")?;
        links
            .lines()
            .find(|path| path.split('/').any(|part| part == board))
            .and_then(|path| path.rsplit('/').next())
            .map(str::to_owned)
            .with_context(|| format!("no link of board {board} among {links:?}"))
    }

    /// Brings up the first modem's link with an IP interface `caif0` on top.
    pub fn up(&mut self) -> Result<()> {
        self.load()?;
        self.ip_up(0)
    }

    /// Brings up modem `index`'s link and an IP interface `caif{index}` over it. The C stack takes
    /// whichever link is up for a new channel, so that the order of the calls matters.
    pub fn ip_up(&mut self, index: usize) -> Result<()> {
        let link = self.link(index)?;
        self.guest.ok(&format!(
            "ip link set {link} up && guest-tool wait-carrier {link}"
        ))?;
        let there = self.netdevs()?.contains(&format!("caif{index}"));
        if !there {
            self.guest.ok(&format!(
                "guest-tool link-add caif{index} --connid {}",
                index + 1
            ))?;
        }
        self.reopen(index)
    }

    /// Closes the IP interface, if it is open, and opens a new channel for it.
    pub fn reopen(&mut self, index: usize) -> Result<()> {
        let local = format!("10.9.{}.2", index + 1);
        let peer = modem_address(index);
        self.guest.ok(&format!(
            "ip link set caif{index} down; ip link set caif{index} up && \
             ip addr replace {local} peer {peer} dev caif{index}"
        ))?;
        Ok(())
    }

    /// Whether traffic passes: small and large pings, none lost.
    pub fn traffic(&mut self) -> Result<()> {
        self.traffic_over(0)
    }

    /// The same over `caif{index}`.
    pub fn traffic_over(&mut self, index: usize) -> Result<()> {
        let address = modem_address(index);
        let ping = self.guest.ok(&format!(
            "guest-tool ping {address} --sizes 8,1472 --count 5"
        ));
        let ping = match ping {
            Ok(out) => out,
            Err(error) => {
                // Where it was lost is known only now.
                let counters = self.guest.run(COUNTERS)?.out;
                return Err(error.context(format!("no traffic over caif{index}\n{counters}")));
            }
        };
        ensure!(ping.contains(" 0% packet loss"), "{ping}");
        Ok(())
    }
}
