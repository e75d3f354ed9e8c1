// SPDX-License-Identifier: GPL-2.0

//! The calls of `tests/vm/calls/script` on each stack, with a modem that captures.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use super::{Case, in_c, one};
use crate::{
    calls::{Done, Script, compare_frames, compare_results},
    link::STACK,
    vm::Vm,
};

pub const CASES: &[Case] = &[
    Case {
        is_of_long: true,
        ..in_c("calls_in_c_as_they_were", as_they_were)
    },
    one("calls_as_in_c", as_in_c),
];

/// The guest's FIFOs: requests to the harness, and their completion.
const WISH: &str = "/tmp/wish";
const DONE: &str = "/tmp/done";
/// Seconds that the calls may take.
const LIMIT: u64 = 400;
/// Arguments of the modem: the connection ids that it does not answer, answers late, and refuses:
/// 0x511e, 0x1a7e and 0x1a7d, 0xdead and 0x1a7d.
const ARGUMENTS: &str = "--silent 20766 --late 6782 --late 6781 --refuse 57005 --refuse 6781";

/// This stack returns and sends what was kept of the stack in C, but for the listed differences.
fn as_in_c(vm: &mut Vm) -> Result<()> {
    let script = Script::read()?;
    let (ours, _) = make(vm, &script, "ours", |vm| vm.modprobe(STACK))?;
    script.check()?;
    let kept = Done::kept(&script)?;
    let wrong: Vec<_> = compare_results(&script, &kept, &ours)
        .into_iter()
        .chain(compare_frames(&script, &kept, &ours))
        .collect();
    ensure!(
        wrong.is_empty(),
        "{} calls are not as in C:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// The stack in C still returns and sends what was kept of it.
fn as_they_were(vm: &mut Vm) -> Result<()> {
    let script = Script::read()?;
    let (now, captures) = make(vm, &script, "c", Vm::load_c_stack)?;
    if vm.keep {
        now.keep(&script, &captures)?;
        println!("kept in tests/vm/calls");
    }
    let kept = Done::kept(&script)?;
    for (call, (then, now)) in script
        .calls
        .iter()
        .zip(kept.results.iter().zip(&now.results))
    {
        ensure!(then == now, "{}: it returned {then}, now {now}", call.line);
    }
    for (call, (then, now)) in script.calls.iter().zip(kept.frames.iter().zip(&now.frames)) {
        ensure!(
            then == now,
            "{}: it sent\n{}\nnow\n{}",
            call.line,
            then.join("\n"),
            now.join("\n")
        );
    }
    Ok(())
}

/// Makes the calls on a stack. Returns their results, and the captures.
fn make(
    vm: &mut Vm,
    script: &Script,
    name: &str,
    load: fn(&mut Vm) -> Result<()>,
) -> Result<(Done, Vec<PathBuf>)> {
    vm.unload()?;
    let captures: Vec<_> = (1..=2)
        .map(|number| vm.logs.join(format!("{name}-{number}.pcapng")))
        .collect();
    restart(vm, captures.first())?;
    let printed = calls(vm, load, captures.last());
    // The next case has an ordinary modem.
    let printed = match printed {
        Ok(printed) => printed,
        Err(error) => {
            vm.modems[0].arguments.clear();
            return Err(error);
        }
    };
    vm.unload()?;
    restart(vm, None)?;
    let done = Done::new(script, &printed, &captures)?;
    done.write(script, &vm.logs, name)?;
    Ok((done, captures))
}

/// Starts another modem, while no stack or link can see the end of the one before.
fn restart(vm: &mut Vm, capture: Option<&PathBuf>) -> Result<()> {
    vm.modems[0].stop()?;
    arm(vm, capture);
    vm.modems[0].restart()
}

/// Lets the next modem capture, and be silent for some connection ids.
fn arm(vm: &mut Vm, capture: Option<&PathBuf>) {
    vm.modems[0].arguments = match capture {
        Some(path) => {
            let path = path.to_string_lossy();
            let pcap = ["--pcap", path.as_ref()];
            ARGUMENTS
                .split(' ')
                .chain(pcap)
                .map(str::to_owned)
                .collect()
        }
        None => Vec::new(),
    };
}

/// Loads a stack and the driver, makes the calls, and handles their requests. Returns the output of
/// the guest's tool.
fn calls(vm: &mut Vm, load: fn(&mut Vm) -> Result<()>, second: Option<&PathBuf>) -> Result<String> {
    load(vm)?;
    vm.load_links()?;
    vm.guest
        .ok(&format!("rm -f {WISH} {DONE} && mkfifo {WISH} {DONE}"))?;
    // At its end the tool closes the FIFO, so that the harness reads to its end.
    let running = vm.guest.start_for(
        &format!(
            "guest-tool calls --wish {WISH} --done {DONE} || {{ echo failed >{WISH}; exit 1; }}"
        ),
        LIMIT,
    )?;
    let fulfilled = wishes(vm, second);
    if fulfilled.is_err() {
        // The tool may wait for an answer.
        vm.guest
            .run(&format!("timeout 5 sh -c 'echo failed >{DONE}'"))?;
    }
    let answer = running.wait()?;
    ensure!(answer.status == 0, "the calls failed: {}", answer.out);
    fulfilled.with_context(|| format!("so far: {}", answer.out))?;
    Ok(answer.out)
}

/// Handles the requests of the calls until they end.
fn wishes(vm: &mut Vm, second: Option<&PathBuf>) -> Result<()> {
    loop {
        let wish = vm.guest.start_for(&format!("cat {WISH}"), LIMIT)?.ok()?;
        let wish = wish.trim();
        let mark = vm.kernel.mark();
        match wish {
            "crash" => {
                vm.modems[0].kill()?;
                vm.kernel_says(mark, "crash")?;
                arm(vm, second);
                vm.modems[0].restart()?;
                vm.kernel_says(mark, "is now up")?;
            }
            "end" => {}
            other => bail!("the calls want {other}"),
        }
        vm.guest.ok(&format!("echo {wish} >{DONE}"))?;
        if wish == "end" {
            return Ok(());
        }
    }
}
