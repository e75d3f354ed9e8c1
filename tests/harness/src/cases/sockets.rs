// SPDX-License-Identifier: GPL-2.0

//! AF_CAIF sockets of caif.ko. What a socket promises is checked by the guest's tool, call by call.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Case, FAILSLAB, one};
use crate::{link::STACK, vm::Vm};

pub const CASES: &[Case] = &[
    one("sockets_keep_their_contract", contract),
    one("sockets_talk_to_the_modem", channels),
    one("sockets_get_a_late_answer", late),
    one("sockets_give_up_a_silent_modem", deadline),
    one("sockets_lose_their_link", lost),
    one("sockets_survive_a_crash", crash),
    one("sockets_hold_the_module", module),
    Case {
        needs: FAILSLAB,
        ..one("sockets_send_without_memory", without_memory)
    },
];

/// The FIFO by which a check of the guest's tool requests an action.
const READY: &str = "/tmp/ready";

/// Each call has its results and errors, and traffic beside it is not disturbed.
fn contract(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let out = vm.guest.start_for("guest-tool sockets", 400)?.ok()?;
    ensure!(out.contains(" checks passed, 0 failed"), "{out}");
    vm.traffic()
}

/// AT dialogues, payloads that the modem returns, and the examples of the documentation work.
fn channels(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    for example in ["example-at-c", "example-at"] {
        let out = vm.guest.ok(&format!("{example} cfvrt0 AT+CSQ"))?;
        ensure!(out.contains("+CSQ: ") && out.contains("OK"), "{out}");
        for refused in ["cfvrt0 AT+NOSUCHTHING", "nonesuch AT", "cfvrt0"] {
            vm.guest.fails(&format!("{example} {refused}"))?;
        }
    }
    for kind in ["", "--stream"] {
        let out = vm.guest.ok(&format!(
            "guest-tool at {kind} --device cfvrt0 AT AT+CGMI AT+CSQ"
        ))?;
        ensure!(out.matches("OK").count() == 3, "{out}");
        vm.guest.ok(&format!(
            "guest-tool at {kind} --expect-error AT+NOSUCHTHING"
        ))?;
        for service in ["datagram-loop", "util", "debug"] {
            vm.guest.ok(&format!(
                "guest-tool loop {kind} --service {service} --count 20"
            ))?;
        }
    }
    Ok(())
}

/// Starts a check of the guest's tool, acts on its request, and waits for its end.
fn with_check(vm: &mut Vm, check: &str, then: impl FnOnce(&mut Vm) -> Result<()>) -> Result<()> {
    vm.guest.ok(&format!("rm -f {READY} && mkfifo {READY}"))?;
    let running = vm
        .guest
        .start_for(&format!("guest-tool sockets {check} --ready {READY}"), 120)?;
    let ready = vm.guest.start_for(&format!("cat {READY}"), 20)?.ok();
    let done = then(vm);
    let out = running.ok().context("the check")?;
    ready?;
    done?;
    ensure!(out.contains("1 checks passed, 0 failed"), "{out}");
    Ok(())
}

/// A silent modem answers after `connect()` gave up.
fn late(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    let checked = with_check(vm, "late_answer", |vm| {
        vm.modems[0].process.signal(Signal::SIGCONT)
    });
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    checked?;
    vm.traffic()
}

/// A modem does not answer for longer than `connect()` may take: its late answers have no effect.
fn deadline(vm: &mut Vm) -> Result<()> {
    vm.unload_links()?;
    vm.guest.unload_unused(STACK)?;
    vm.modprobe(&format!("{STACK} connect_timeout_ms=1000"))?;
    vm.up()?;
    let out = vm
        .guest
        .start_for("guest-tool sockets deadline", 100)?
        .ok()?;
    ensure!(out.contains("1 checks passed, 0 failed"), "{out}");
    vm.unload_links()?;
    vm.guest.unload_unused(STACK)
}

/// The link goes down under sockets, and comes back.
fn lost(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    with_check(vm, "link_lost", |vm| {
        vm.guest.ok("ip link set cfvrt0 down").map(|_| ())
    })?;
    vm.guest
        .ok("ip link set cfvrt0 up && guest-tool wait-carrier cfvrt0")?;
    vm.guest.ok("guest-tool sockets blocking_connect packets")?;
    vm.is_back(0)
}

/// The modem crashes while sockets have channels and send on them.
fn crash(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let looping = vm.guest.start_for(
        "guest-tool loop --service util --count 100000 --timeout 60",
        200,
    )?;
    let storm = vm.start_storm(&format!(
        "{} --sizes 700 --count 50 --window 16 --timeout 500",
        crate::link::MODEM
    ))?;
    let mark = vm.kernel.mark();
    vm.modems[0].kill()?;
    vm.kernel_says(mark, "crash")?;
    let answer = looping.wait()?;
    ensure!(
        answer.status != 0 && answer.status != 124,
        "it went on: {}",
        answer.out
    );
    vm.modems[0].restart()?;
    vm.kernel_says(mark, "is now up")?;
    vm.guest
        .ok("guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up && \
             guest-tool wait-carrier cfvrt0 && guest-tool sockets blocking_connect stream")?;
    vm.end_storm(storm)?;
    vm.is_back(0)?;
    vm.traffic()
}

/// Each allocation of a call that sends fails once: the error says so, and the channel stays.
fn without_memory(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.guest.ok("cd /sys/kernel/debug/failslab && \
        echo N >ignore-gfp-wait && echo 0 >verbose && echo 32 >stacktrace-depth")?;
    for kind in ["", "--stream"] {
        let command = format!("guest-tool fail-nth channel {kind}");
        let out = vm.guest.start_for(&command, 200)?.ok()?;
        ensure!(!out.contains("\"refused\":0"), "nothing failed: {out}");
    }
    vm.traffic()
}

/// The module cannot be removed under a socket, and can be once that is closed.
fn module(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    vm.modems[0].process.signal(Signal::SIGSTOP)?;
    let checked = with_check(vm, "late_answer", |vm| {
        let refused = vm.guest.fails("rmmod caif");
        vm.modems[0].process.signal(Signal::SIGCONT)?;
        refused.map(|_| ())
    });
    vm.modems[0].process.signal(Signal::SIGCONT)?;
    checked?;
    vm.unload()?;
    let left = vm.guest.run("grep caif /proc/modules")?.out;
    ensure!(left.is_empty(), "{left}");
    Ok(())
}
