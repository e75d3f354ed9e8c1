// SPDX-License-Identifier: GPL-2.0

//! Tools to watch a link at work.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Case, one};
use crate::{link::MODEM, vm::Vm};

pub const CASES: &[Case] = &[
    one("trace_events", trace_events),
    one("live_rates", live_rates),
];

const TRACING: &str = "/sys/kernel/tracing";

/// Each frame and each kick is traced while the events are enabled, and nothing otherwise.
fn trace_events(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let link = vm.link(0)?;
    vm.guest.ok(&format!(
        "grep -q ' {TRACING} tracefs' /proc/mounts || mount -t tracefs trace {TRACING}"
    ))?;
    let enable = format!("{TRACING}/events/caif_virtio/enable");
    vm.guest
        .ok(&format!("echo > {TRACING}/trace; echo 1 > {enable}"))?;
    let ping = format!("guest-tool ping {MODEM} --sizes 1000 --count 100");
    vm.guest.ok(&ping)?;
    vm.guest.ok(&format!("echo 0 > {enable}"))?;
    vm.guest.ok(&ping)?;
    let trace = vm.guest.ok(&format!("cat {TRACING}/trace"))?;

    // Around the IP packet: length 2, channel 1, header 4, checksum 2.
    let frame = 1000 + 28 + 9;
    for (event, want) in [
        (format!("caif_virtio_receive: dev={link} len={frame}"), 100),
        (format!("caif_virtio_transmit: dev={link} len={frame}"), 100),
        ("caif_virtio_drop:".to_owned(), 0),
        ("caif_virtio_fault:".to_owned(), 0),
    ] {
        let count = trace.matches(&event).count();
        ensure!(count == want, "{count} times {event}, want {want}: {trace}");
    }
    // The modem asks for few kicks of vring 0, and the driver for one of vring 1 per burst.
    let kicks = trace
        .matches("caif_virtio_kick: dev=virtio0 vring=1")
        .count();
    ensure!(
        (1..=100).contains(&kicks),
        "{kicks} kicks of vring 1 for 100 frames: {trace}"
    );
    Ok(())
}

/// `caifctl status --watch` shows the rates.
fn live_rates(vm: &mut Vm) -> Result<()> {
    vm.up()?;
    let link = vm.link(0)?;
    let transfer = vm.start_flowing(&format!("tcp sink {MODEM} --bytes 10000000"), 240)?;
    let out = vm.guest.ok(&format!(
        "caifctl status --watch --count 1 --json --only {link}"
    ))?;
    transfer.ok()?;
    let rates: Value = serde_json::from_str(&out).context(out.clone())?;
    let rate = |name: &str| {
        rates
            .get(name)
            .and_then(Value::as_f64)
            .with_context(|| format!("no {name}: {out}"))
    };
    ensure!(rate("tx_frames_per_s")? >= 1.0, "nothing was sent: {out}");
    ensure!(rate("tx_mbit_per_s")? > 0.0, "nothing was sent: {out}");
    ensure!(rate("rx_frames_per_s")? >= 1.0, "nothing came: {out}");
    ensure!(rate("errors")? == 0.0, "there were errors: {out}");
    Ok(())
}
