// SPDX-License-Identifier: GPL-2.0

//! Traffic without faults.

use anyhow::{Result, bail, ensure};

use super::{Case, one};
use crate::{
    link::{COUNTERS, MODEM},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("frames_in_io_memory", io_memory),
    one("ping_beside_others", ping_beside_others),
    one("ping_bursts", ping_bursts),
    one("udp_echo", udp_echo),
    one("tcp_both_ways_at_once", tcp_both),
    one("tcp_echo", tcp_echo),
    one("flow_control", flow_control),
    one("counters_are_clean", counters),
    one("mtu_limits", mtu),
];

/// No ping is lost, of sizes around all limits.
pub fn all_sizes(vm: &mut Vm) -> Result<()> {
    let sizes = "0,1,2,3,7,8,15,16,31,32,56,63,64,65,127,128,255,256,511,512,1000,1023,1024,1400,1470,1471,1472";
    let out = vm.guest.ok(&format!(
        "guest-tool ping {MODEM} --sizes {sizes} --count 10"
    ))?;
    ensure!(
        out.contains("270 packets transmitted, 270 received, 0% packet loss"),
        "{out}"
    );
    Ok(())
}

/// The modem's buffers are mapped as I/O memory, as some platforms do it.
fn io_memory(vm: &mut Vm) -> Result<()> {
    vm.unload_links()?;
    let board = vm.machine.board();
    vm.modprobe(&format!("{board} heap_is_io=1"))?;
    vm.up()?;
    all_sizes(vm)?;
    vm.guest
        .ok(&format!("guest-tool tcp both {MODEM} --bytes 1000000"))?;
    // The next case has ordinary memory again.
    vm.unload_links()
}

/// The link loses no packets when answers to another sender's pings fill it.
fn ping_beside_others(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let waiting = vm.start_storm(MODEM)?;
    let signal = |name| {
        format!(
            "for process in /proc/[0-9]*; do \
             case $(tr '\\0' ' ' <$process/cmdline) in \
             'guest-tool ping '*) kill -{name} ${{process#/proc/}};; esac; done"
        )
    };
    vm.guest.ok(&signal("STOP"))?;
    vm.guest.ok(&format!(
        "guest-tool ping {MODEM} --sizes 1472 --count 500 --window 16"
    ))?;
    let sockets = vm.guest.ok("cat /proc/net/raw")?;
    vm.guest.ok(&signal("CONT"))?;
    vm.end_storm(waiting)?;
    let mut drops = sockets.lines().skip(1).map(|line| line.ends_with(" 0"));
    ensure!(
        drops.next() == Some(true) && drops.all(|none| none),
        "{sockets}"
    );
    Ok(())
}

/// Many frames at once are answered, which the modem puts on chains.
fn ping_bursts(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let out = vm.guest.ok(&format!(
        "guest-tool ping {MODEM} --sizes 0,56,1472 --count 1000 --window 32"
    ))?;
    ensure!(
        out.contains("3000 packets transmitted, 3000 received, 0% packet loss"),
        "{out}"
    );
    Ok(())
}

fn udp_echo(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest
        .ok(&format!("guest-tool udp-echo {MODEM}:7 --count 50"))?;
    Ok(())
}

fn tcp_both(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let bytes = vm.bytes(20_000_000);
    vm.guest
        .start_for(&format!("guest-tool tcp both {MODEM} --bytes {bytes}"), 240)?
        .ok()?;
    Ok(())
}

fn tcp_echo(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let bytes = vm.bytes(5_000_000);
    vm.guest
        .start_for(&format!("guest-tool tcp echo {MODEM} --bytes {bytes}"), 120)?
        .ok()?;
    Ok(())
}

/// The modem sends flow-off in the middle of a transfer: the host must obey, and nothing may get
/// lost.
fn flow_control(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let bytes = vm.bytes(30_000_000);
    let transfer = vm.start_flowing(&format!("tcp sink {MODEM} --bytes {bytes}"), 240)?;
    let out = vm.guest.ok("guest-tool at 'AT*FLOW=1500' 'AT*FLOW?'")?;
    ensure!(out.contains("*FLOW: 1,"), "flow is not off: {out}");
    transfer.ok()?;
    let out = vm.guest.ok("guest-tool at 'AT*FLOW?'")?;
    let late: Option<u32> = out
        .lines()
        .find_map(|line| line.trim_start_matches("< ").strip_prefix("*FLOW: 0,"))
        .and_then(|count| count.trim().parse().ok());
    let Some(late) = late else {
        // Counters that show whether flow-off arrived.
        let counters = vm.guest.run(COUNTERS)?.out;
        bail!("flow stays off, or the host sent on all the time: {out}\n{counters}");
    };
    // Frames that were in the ring and in the queueing discipline at flow-off; thousands came
    // later.
    ensure!(late < 600, "{late} frames came in spite of flow off");
    vm.traffic()
}

/// The statistics have all the traffic before, and some of a known size, and no fault.
fn counters(vm: &mut Vm) -> Result<()> {
    // With counters of its own.
    vm.delete_interfaces()?;
    vm.up()?;
    let link = vm.link(0)?;
    let read = |vm: &mut Vm| -> Result<Vec<u64>> {
        let names = "rx_packets tx_packets rx_bytes tx_bytes";
        let out = vm.guest.ok(&format!(
            "cd /sys/class/net/{link}/statistics && cat {names}"
        ))?;
        Ok(out.lines().map(str::parse).collect::<Result<_, _>>()?)
    };
    let before = read(vm)?;
    vm.guest
        .ok(&format!("guest-tool ping {MODEM} --sizes 1000 --count 100"))?;
    let after = read(vm)?;
    // Around the IP packet: length 2, channel 1, header 4, checksum 2.
    let frame = 1000 + 28 + 9;
    for (what, grown, want) in [
        ("received packets", after[0] - before[0], 100),
        ("sent packets", after[1] - before[1], 100),
        ("received bytes", after[2] - before[2], 100 * frame),
        ("sent bytes", after[3] - before[3], 100 * frame),
    ] {
        ensure!(grown == want, "{grown} {what}, there were {want}");
    }
    vm.guest
        .ok(&format!("guest-tool counters {link} caif0 --clean"))?;
    Ok(())
}

/// The longest frame is the config's uplink MTU of 4096 less headroom and tailroom.
fn mtu(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let link = vm.link(0)?;
    let read = |vm: &mut Vm| vm.guest.ok(&format!("cat /sys/class/net/{link}/mtu"));
    let most = 4096 - 32 - 32;
    ensure!(
        read(vm)?.trim() == most.to_string(),
        "the mtu is not {most}"
    );
    vm.guest
        .fails(&format!("ip link set {link} mtu {}", most + 1))?;
    vm.guest.fails(&format!("ip link set {link} mtu 60"))?;
    vm.guest.ok(&format!("ip link set {link} mtu 1000"))?;
    // The IP interface takes its link's mtu into account when it is opened.
    vm.reopen(0)?;
    let ip: u32 = vm
        .guest
        .ok("cat /sys/class/net/caif0/mtu")?
        .trim()
        .parse()?;
    ensure!(
        ip <= 1000 - 9,
        "the IP interface's mtu {ip} exceeds its link's"
    );
    vm.guest
        .ok(&format!("guest-tool ping {MODEM} --sizes 900 --count 5"))?;
    vm.guest.ok(&format!("ip link set {link} mtu {most}"))?;
    vm.guest.ok("ip link del caif0")?;
    vm.up()?;
    vm.traffic()
}
