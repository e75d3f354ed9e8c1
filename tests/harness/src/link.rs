// SPDX-License-Identifier: GPL-2.0

//! The set-up that most cases start from: modules loaded, one IP interface per modem.

use anyhow::{Context, Result, ensure};

use crate::{machine::Machine, vm::Vm};

/// The modem's address on channel 1, which the interface over link 0 asks for.
pub const MODEM: &str = "10.9.1.1";

/// Returns the modem's address at the far end of `caif{index}`: it follows from the connection id.
pub fn modem_address(index: usize) -> String {
    format!("10.9.{}.1", index + 1)
}

/// The connection id that the modem refuses.
pub const REFUSED: u32 = 0xdead;

/// The firmware of the modem that the board loads.
pub const FIRMWARE: &str = "/lib/firmware/caif-modem.elf";
/// The file by which a user reports a crash of the modem.
pub const CRASH: &str = "/sys/kernel/debug/remoteproc/remoteproc*/crash";
/// Sets a link up, which may be replaced by a new one meanwhile, and waits for its carrier.
pub const UP_AGAIN: &str = "guest-tool until --net \
    'ip link set cfvrt0 up && [ \"$(cat /sys/class/net/cfvrt0/carrier)\" = 1 ]'";

pub const DRIVER: &str = "caif_virtio";
/// The driver of the ivshmem machine's remote processor; see [`Machine::board`].
pub const BOARD: &str = "ivshmem_rproc";
/// The stack of this project.
pub const STACK: &str = "caif";
/// The modules of the stack in C, which one case for each kind of traffic uses as a peer. They are
/// not known to `modprobe`: both stacks have a module of the same name.
const C_STACK: [&str; 3] = ["caif", "caif_socket", "chnl_net"];

/// Prints the counters of dropped packets.
pub const COUNTERS: &str = "guest-tool counters $(cd /sys/class/net && echo cfvrt* caif*); \
    grep Icmp: /proc/net/snmp; cat /proc/net/softnet_stat";

/// Prints the number of sockets of CAIF.
const SOCKETS: &str = r"sed -n 's/^CAIF  *[0-9]*  *\([0-9]*\) .*/\1/p' /proc/net/protocols";

impl Vm {
    /// Loads every module, and waits for the links.
    pub fn load(&mut self) -> Result<()> {
        self.modprobe(STACK)?;
        self.load_links()
    }

    /// Loads driver and board, and waits for the links.
    pub fn load_links(&mut self) -> Result<()> {
        for module in [DRIVER, self.machine.board()] {
            self.modprobe(module)?;
        }
        let count = self.modems.len();
        self.guest
            .ok(&format!("guest-tool wait-netdev 'cfvrt*' --count {count}"))
            .context("no CAIF link appeared")?;
        Ok(())
    }

    /// Loads the stack in C.
    pub fn load_c_stack(&mut self) -> Result<()> {
        for module in C_STACK {
            self.guest
                .ok(&format!("insmod /c-stack/{module}.ko"))
                .context("this machine was made without the stack in C")?;
        }
        Ok(())
    }

    /// Brings up the first modem's link and an IP interface, as [`up`](Self::up), over the stack in
    /// C. A case that does so has to [`unload`](Self::unload) it in the end.
    pub fn up_on_c_stack(&mut self) -> Result<()> {
        self.unload()?;
        self.load_c_stack()?;
        self.load_links()?;
        self.link_up(0)?;
        self.guest.ok("guest-tool link-add caif0 --connid 1")?;
        self.reopen_on_c_stack()
    }

    /// Opens a new channel for the interface over the stack in C, which does not do so by itself.
    pub fn reopen_on_c_stack(&mut self) -> Result<()> {
        self.guest
            .ok("ip link set caif0 down; ip link set caif0 up && \
             ip addr replace 10.9.1.2 peer 10.9.1.1 dev caif0")
            .map(|_| ())
    }

    /// Removes every module, in the order of their dependencies.
    pub fn unload(&mut self) -> Result<()> {
        self.unload_links()?;
        for module in C_STACK.iter().rev() {
            self.guest.unload_unused(module)?;
        }
        Ok(())
    }

    /// Removes interfaces and links, and leaves the stack.
    pub fn unload_links(&mut self) -> Result<()> {
        self.delete_interfaces()?;
        for module in [self.machine.board(), DRIVER] {
            self.guest.ok(&format!(
                "! grep -q '^{module} ' /proc/modules || rmmod {module}"
            ))?;
        }
        Ok(())
    }

    /// Returns the number of sockets of CAIF.
    pub fn sockets(&mut self) -> Result<usize> {
        let sockets = self.guest.ok(SOCKETS)?;
        let sockets = sockets.trim();
        sockets
            .parse()
            .with_context(|| format!("no number of sockets: {sockets:?}"))
    }

    /// Waits until no socket of CAIF is left: one counts until it is freed, a moment after it was
    /// closed.
    pub fn sockets_are_freed(&mut self) -> Result<()> {
        self.guest
            .ok(&format!(
                "for i in $(seq 200); do [ \"$({SOCKETS})\" != 0 ] || exit 0; usleep 50000; done; \
                 cat /proc/net/protocols; exit 1"
            ))
            .map(drop)
    }

    /// Deletes all IP interfaces.
    pub fn delete_interfaces(&mut self) -> Result<()> {
        self.guest
            .ok("for i in /sys/class/net/caif*; do [ ! -e $i ] || ip link del ${i##*/}; done")
            .map(|_| ())
    }

    /// Returns the name of modem `index`'s link. The kernel numbers links in the order the modems
    /// boot, which is any; boards have the order of their PCI addresses.
    pub fn link(&mut self, index: usize) -> Result<String> {
        let boards = self.guest.ok(match self.machine {
            Machine::Ivshmem => "grep -lx 0x1110 /sys/bus/pci/devices/*/device",
            Machine::Soc => "ls /sys/bus/platform/devices/9000000.remoteproc/uevent",
        })?;
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

    /// Brings up modem `index`'s link.
    pub fn link_up(&mut self, index: usize) -> Result<()> {
        let link = self.link(index)?;
        self.guest
            .ok(&format!(
                "ip link set {link} up && guest-tool wait-carrier {link}"
            ))
            .map(|_| ())
    }

    /// Brings up modem `index`'s link, and makes the IP interface `caif{index}` if it does not
    /// exist. An existing one has its address, and gets a channel once its link is up.
    ///
    /// Where there are several modems, the interface is made for its link.
    pub fn ip_up(&mut self, index: usize) -> Result<()> {
        self.link_up(index)?;
        if self.netdevs()?.contains(&format!("caif{index}")) {
            return self.is_back(index);
        }
        let below = match self.modems.len() {
            1 => String::new(),
            _ => format!("--link {}", self.link(index)?),
        };
        let id = index + 1;
        self.guest.ok(&format!(
            "guest-tool link-add caif{index} --connid {id} {below} && \
             ip addr add 10.9.{id}.2 peer 10.9.{id}.1 dev caif{index} && \
             ip link set caif{index} up && guest-tool wait-carrier caif{index}"
        ))?;
        Ok(())
    }

    /// Waits until `caif{index}` has a channel, and checks that it kept its address and is up.
    pub fn is_back(&mut self, index: usize) -> Result<()> {
        let shown = self.guest.ok(&format!(
            "guest-tool wait-carrier caif{index} && ip addr show dev caif{index}"
        ))?;
        let address = format!(" 10.9.{}.2 ", index + 1);
        ensure!(
            shown.contains(&address) && shown.contains("UP"),
            "caif{index} lost what it had: {shown}"
        );
        Ok(())
    }

    /// Closes the IP interface, and opens a new channel for it.
    pub fn reopen(&mut self, index: usize) -> Result<()> {
        self.guest.ok(&format!(
            "ip link set caif{index} down && ip link set caif{index} up"
        ))?;
        self.is_back(index)
    }

    /// Checks that small and large pings pass, and none is lost.
    pub fn traffic(&mut self) -> Result<()> {
        self.traffic_over(0)
    }

    /// Checks the same over `caif{index}`.
    pub fn traffic_over(&mut self, index: usize) -> Result<()> {
        let address = modem_address(index);
        let ping = self.guest.ok(&format!(
            "guest-tool ping {address} --sizes 8,1472 --count 5"
        ));
        let ping = match ping {
            Ok(out) => out,
            Err(error) => {
                // The counters of losses are complete only now.
                let counters = self.guest.run(COUNTERS)?.out;
                return Err(error.context(format!("no traffic over caif{index}\n{counters}")));
            }
        };
        ensure!(ping.contains(" 0% packet loss"), "{ping}");
        Ok(())
    }
}
