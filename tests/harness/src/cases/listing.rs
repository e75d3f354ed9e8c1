// SPDX-License-Identifier: GPL-2.0

//! `/proc/net/caif`: the file of each namespace, as links, namespaces, modems and the module go. The
//! lines themselves are checked by the guest's tool, see `sockets_keep_their_contract`.

use anyhow::{Context, Result, ensure};

use super::{Case, one, recovery};
use crate::{
    link::{DRIVER, STACK},
    namespace::{self, END, INSIDE},
    vm::Vm,
};

pub const CASES: &[Case] = &[
    one("listing_is_of_one_namespace", namespaces),
    one("listing_shows_what_is_owed", owed),
    one("listing_follows_the_modem", crash),
    one("listing_goes_with_the_module", module),
];

/// Returns the lines behind the titles, without the link ids and with single spaces, of the first
/// namespace or of another.
fn lines(vm: &mut Vm, inside: &str) -> Result<Vec<String>> {
    let text = vm.guest.ok(&format!("{inside} cat /proc/net/caif"))?;
    let mut lines = text.lines();
    let titles = lines.next().context("nothing")?;
    ensure!(titles.starts_with("link  "), "{titles}");
    Ok(lines
        .map(|line| {
            let mut fields: Vec<_> = line.split_whitespace().collect();
            if fields.len() > 1 {
                fields.remove(1);
            }
            fields.join(" ")
        })
        .collect())
}

fn is(vm: &mut Vm, inside: &str, want: &[&str]) -> Result<()> {
    let lines = lines(vm, inside)?;
    ensure!(lines == want, "{inside}: {lines:?}, not {want:?}");
    Ok(())
}

const CAIF0: &str = "cfvrt0 datagram 1 - open on on caif0";

/// A namespace sees the channels of its own links; of an interface in another one it does not see
/// the name.
fn namespaces(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(&namespace::begin("-n"))?;
    is(vm, "", &[CAIF0])?;
    is(vm, INSIDE, &[])?;
    vm.guest.ok(&format!(
        "ip link add link cfvrt0 name caifm type caif && ip link set caifm netns $(cat /tmp/ns) && \
         {INSIDE} ip link set caifm up && {}",
        namespace::wait_carrier("caifm")
    ))?;
    let all = lines(vm, "")?;
    ensure!(
        all.len() == 2
            && all.iter().any(|line| line == CAIF0)
            && all.iter().any(|line| {
                line.starts_with("cfvrt0 datagram_loop ") && line.ends_with(" open on on -")
            }),
        "{all:?}"
    );
    is(vm, INSIDE, &[])?;
    vm.guest.ok(&format!("{INSIDE} ip link set caifm down"))?;
    is(vm, "", &[CAIF0])?;

    vm.guest.ok(&format!(
        "{INSIDE} ip link del caifm && ip link set cfvrt0 netns $(cat /tmp/ns)"
    ))?;
    is(vm, "", &[])?;
    vm.guest.ok(&format!(
        "{INSIDE} ip link set cfvrt0 up && {INSIDE} guest-tool link-add caifn --connid 7 && \
         {} && {INSIDE} ip link set caifn up && {}",
        namespace::wait_carrier("cfvrt0"),
        namespace::wait_carrier("caifn"),
    ))?;
    is(vm, INSIDE, &["cfvrt0 datagram 7 - open on on caifn"])?;
    is(vm, "", &[])?;
    vm.guest.ok(END)?;
    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up")?;
    vm.is_back(0)?;
    is(vm, "", &[CAIF0])
}

/// A channel that the modem does not know to be closed has a line.
fn owed(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let path = "/sys/class/net/cfvrt0/tx_queue_len";
    let len = vm.guest.ok(&format!("cat {path} && echo 1 >{path}"))?;
    let checked = vm.guest.start_for("guest-tool sockets closing", 120)?.ok();
    vm.guest.ok(&format!("echo {} >{path}", len.trim()))?;
    let out = checked?;
    ensure!(out.contains("1 checks passed, 0 failed"), "{out}");
    vm.traffic()
}

/// The lines go with the modem, and are there again when it is back.
fn crash(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let mark = vm.kernel.mark();
    let storm = recovery::storm(vm)?;
    let churn = vm.guest.start_for(
        "until [ -e /tmp/churned ]; do cat /proc/net/caif >/dev/null; done; rm /tmp/churned",
        400,
    )?;
    vm.modems[0].kill()?;
    vm.kernel_says(mark, "crash")?;
    vm.guest.ok("guest-tool wait-carrier caif0 --state down")?;
    is(vm, "", &[])?;
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up")?;
    vm.is_back(0)?;
    is(vm, "", &[CAIF0])?;
    vm.guest.ok("touch /tmp/churned")?;
    churn.ok()?;
    vm.end_storm(storm)?;
    vm.guest.ok(&format!("rmmod {DRIVER}"))?;
    is(vm, "", &[])?;
    vm.up()?;
    vm.traffic()
}

/// The module goes although the file is open, and under readers; then there is no file in any
/// namespace, and what is open cannot be read.
fn module(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok(&namespace::begin("-n"))?;
    vm.delete_interfaces()?;
    let readers = vm.guest.start_for(
        "until [ -e /tmp/enough ]; do cat /proc/net/caif >/dev/null 2>&1; done; rm /tmp/enough",
        400,
    )?;
    for round in 0..10 {
        let out = vm
            .guest
            .ok(&format!(
                "exec 3</proc/net/caif 4</proc/net/caif && {INSIDE} cat /proc/net/caif >/dev/null && \
                 head -c 5 <&3 && rmmod {STACK} && ! cat <&3 && ! cat <&4 && \
                 ! {INSIDE} ls /proc/net/caif && ! ls /proc/net/caif && modprobe {STACK} && \
                 ! cat <&4 && cat /proc/net/caif && {INSIDE} cat /proc/net/caif"
            ))
            .with_context(|| format!("round {round}"))?;
        ensure!(out.matches("connection name").count() == 2, "{out}");
    }
    vm.guest.ok("touch /tmp/enough")?;
    readers.ok()?;
    vm.guest.ok(END)?;
    vm.up()?;
    is(vm, "", &[CAIF0])
}
