// SPDX-License-Identifier: GPL-2.0

//! Two boards, two modems, one driver.

use anyhow::{Context, Result, ensure};

use super::{Case, one};
use crate::{link::modem_address, vm::Vm};

pub const CASES: &[Case] = &[
    two("two_modems_at_once", both),
    two("one_of_two_modems_killed", one_killed),
    two("one_of_two_modems_is_hostile", one_hostile),
];

const fn two(name: &'static str, run: fn(&mut Vm) -> Result<()>) -> Case {
    Case {
        boards: 2,
        ..one(name, run)
    }
}

/// Makes an IP interface for each link, and checks that it uses that one.
fn up(vm: &mut Vm) -> Result<()> {
    vm.load()?;
    vm.delete_interfaces()?;
    for index in 0..2 {
        vm.ip_up(index)?;
    }
    for index in 0..2 {
        let link = vm.link(index)?;
        let before = frames(vm, &link)?;
        vm.traffic_over(index)?;
        ensure!(
            frames(vm, &link)? >= before + 10,
            "the traffic of caif{index} took another link"
        );
    }
    Ok(())
}

fn frames(vm: &mut Vm, link: &str) -> Result<u64> {
    let path = format!("/sys/class/net/{link}/statistics/rx_packets");
    Ok(vm.guest.ok(&format!("cat {path}"))?.trim().parse()?)
}

fn both(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let bytes = vm.bytes(10_000_000);
    let transfers = [0, 1].map(|index| {
        let address = modem_address(index);
        vm.guest.start_for(
            &format!("guest-tool tcp both {address} --bytes {bytes}"),
            240,
        )
    });
    for transfer in transfers {
        transfer?.ok()?;
    }
    // AT channels go to the modem they are told to.
    for device in ["cfvrt0", "cfvrt1"] {
        vm.guest
            .ok(&format!("guest-tool at --device {device} AT"))
            .context(device)?;
    }
    Ok(())
}

/// The crash of one modem does not disturb the other's traffic. An interface that was made for a
/// link goes with it.
fn one_killed(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let mark = vm.kernel.mark();
    let bytes = vm.bytes(60_000_000);
    let transfer = vm.start_flowing(
        &format!("tcp both {} --bytes {bytes}", modem_address(1)),
        240,
    )?;
    vm.modems[0].kill()?;
    vm.kernel_says(mark, "crash")?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    transfer.ok().context("the other modem's transfer")?;
    vm.traffic_over(1)?;
    let left = vm.netdevs()?;
    ensure!(!left.contains(&"caif0".to_owned()), "{left:?}");
    vm.guest
        .ok("guest-tool wait-netdev 'cfvrt*' --count 2 >/dev/null")?;
    vm.ip_up(0)?;
    vm.traffic_over(0)
}

/// A modem that sends frames for channels of each id, and messages about them, affects neither the
/// other modem's channels, which have the same ids, nor the requests to that one.
fn one_hostile(vm: &mut Vm) -> Result<()> {
    up(vm)?;
    let mark = vm.kernel.mark();
    vm.modems[0].noise = true;
    vm.modems[0].stop()?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    vm.guest
        .ok("guest-tool wait-netdev 'cfvrt*' --count 2 >/dev/null")?;
    let result = beside_noise(vm);
    vm.modems[0].noise = false;
    result
}

fn beside_noise(vm: &mut Vm) -> Result<()> {
    // With counters of its own.
    vm.delete_interfaces()?;
    up(vm)?;
    let good = vm.link(1)?;
    let hostile = vm.link(0)?;
    let noise = vm.start_storm(&format!("{} --sizes 0,700,1472", modem_address(0)))?;
    let out = vm.guest.ok(&format!(
        "guest-tool ping {} --sizes 0,8,700,1472 --count 50 --window 8",
        modem_address(1)
    ))?;
    ensure!(out.contains(" 0% packet loss"), "{out}");

    // The good modem answers later than the other one, which is asked the same and answers more than
    // once.
    vm.guest
        .ok(&format!("guest-tool at --device {good} 'AT*STALL=3000'"))?;
    let asked = vm.guest.start_for(
        "ip link set caif1 down && ip link set caif1 up && guest-tool wait-carrier caif1",
        60,
    )?;
    for _ in 0..3 {
        vm.guest.ok(&format!(
            "guest-tool link-add caifx --connid 2 --link {hostile} && ip link set caifx up && \
             guest-tool wait-carrier caifx && ip link del caifx"
        ))?;
    }
    asked.ok().context("a channel of the good modem")?;
    vm.end_storm(noise)?;
    vm.traffic_over(1)?;
    vm.guest
        .ok(&format!("guest-tool counters {good} caif1 --clean"))?;
    Ok(())
}
