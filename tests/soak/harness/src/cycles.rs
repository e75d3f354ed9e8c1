// SPDX-License-Identifier: GPL-2.0

//! Takes links down and up, rebinds and removes the driver, and takes interfaces and the stack away,
//! under traffic.

use anyhow::{Context, Result, ensure};
use harness::link::{BOARD, DRIVER, MODEM, STACK};

use crate::{
    Soak,
    crash::{COME_BACK, STORM},
    report::Outcome,
};

/// Cycles in one command of the guest.
const BATCH: u32 = 10;

/// Runs `cycle`, a script, repeatedly under traffic. Each time a ping must be answered.
fn under_traffic(soak: &mut Soak, name: &str, cycles: u32, cycle: &str) -> Result<Outcome> {
    let mut done = 0;
    while done < cycles {
        let batch = BATCH.min(cycles - done);
        let storm = soak.vm.start_storm(&format!("{MODEM} {STORM}"))?;
        let script =
            format!("i=0; while [ $i -lt {batch} ]; do {{ {cycle}; }} || exit; i=$((i + 1)); done");
        soak.vm
            .guest
            .start_for(&script, 300)?
            .ok()
            .with_context(|| format!("{name} {done} to {}", done + batch))?;
        soak.vm.end_storm(storm)?;
        done += batch;
        if done % 100 == 0 {
            soak.progress(name, done, cycles);
        }
        soak.check_log()?;
    }
    Ok(Outcome::new(cycles))
}

/// Unbinds and binds the driver.
const REBIND: &str = "{ cd /sys/bus/virtio/drivers/caif_virtio && device=$(ls -d virtio[0-9]*) && \
    echo $device >unbind && [ ! -e /sys/class/net/cfvrt0 ] && echo $device >bind && cd /; }";

pub fn updown(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    let cycle = format!("ip link set cfvrt0 down && {COME_BACK}");
    under_traffic(soak, "updown", cycles, &cycle)
}

pub fn rebind(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    let cycle = format!("{REBIND} && {COME_BACK}");
    under_traffic(soak, "rebind", cycles, &cycle)
}

/// Makes an interface, waits for its channel or not, and deletes it.
pub fn interfaces(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    let cycle = "ip link add caifs type caif && ip link set caifs up && \
        { [ $((i % 2)) = 0 ] || guest-tool wait-carrier caifs; } && ip link del caifs";
    under_traffic(soak, "interfaces", cycles, cycle)
}

/// Removes the stack with its interface, and loads it again, with the link up all the time.
pub fn stack(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    let cycle = format!(
        "rmmod {STACK} && [ ! -e /sys/class/net/caif0 ] && modprobe {STACK} && \
         guest-tool link-add caif0 --connid 1 && \
         ip addr add 10.9.1.2 peer {MODEM} dev caif0 && ip link set caif0 up && {COME_BACK}"
    );
    under_traffic(soak, "stack", cycles, &cycle)
}

/// Activities in the background while the module is removed.
const POINTS: &[&str] = &[
    // The processor boots, and the driver is probed.
    "{ echo stop >STATE; echo start >STATE; }",
    // The driver is bound.
    "{ cd DRIVER && device=$(ls -d virtio[0-9]*) && echo $device >unbind; echo $device >bind; }",
    // The interface comes up and goes down.
    "{ ip link set cfvrt0 down; ip link set cfvrt0 up; ip link set cfvrt0 down; ip link set cfvrt0 up; }",
    // Traffic.
    "guest-tool ping 10.9.1.1 --sizes 1000 --count 40 --window 16 --timeout 100",
    // Statistics are read.
    "{ for i in 1 2 3 4; do ip -s link show cfvrt0; cat /sys/class/net/cfvrt0/statistics/*; done; }",
];

/// Removes the module during each activity, a little later in each cycle.
pub fn rmmod(soak: &mut Soak, cycles: u32) -> Result<Outcome> {
    for cycle in 0..cycles {
        let point = POINTS[cycle as usize % POINTS.len()]
            .replace("STATE", "/sys/class/remoteproc/remoteproc0/state")
            .replace("DRIVER", "/sys/bus/virtio/drivers/caif_virtio");
        let delay = u64::from(cycle) * 1_117 % 40_000;
        // The activity may fail; rmmod must not.
        let script = format!(
            "{{ {point}; }} >/dev/null 2>&1 & \
             usleep {delay}; rmmod {DRIVER}; status=$?; wait; \
             [ $status = 0 ] && ! grep -q '^{DRIVER} ' /proc/modules && \
             [ ! -e /sys/class/net/cfvrt0 ]"
        );
        soak.vm
            .guest
            .ok(&script)
            .with_context(|| format!("rmmod {delay} us after: {point}"))?;
        soak.vm.modprobe(DRIVER)?;
        soak.vm.guest.ok(COME_BACK)?;
        if cycle % 16 == 15 {
            soak.check_log()?;
            soak.progress("rmmod", cycle + 1, cycles);
        }
    }
    // Once more while a crash is being handled.
    let mark = soak.vm.kernel.mark();
    soak.vm.modems[0].kill()?;
    soak.vm.kernel_says(mark, "crash")?;
    soak.vm.guest.ok(&format!("rmmod {DRIVER}"))?;
    soak.vm.modems[0].restart()?;
    soak.vm.kernel_says(mark, "is now up")?;
    let left = soak.vm.netdevs()?;
    ensure!(
        !left.iter().any(|name| name.starts_with("cfvrt")),
        "{left:?} without {DRIVER}, under {BOARD}"
    );
    soak.vm.modprobe(DRIVER)?;
    soak.vm.guest.ok(COME_BACK)?;
    Ok(Outcome::new(cycles + 1))
}
