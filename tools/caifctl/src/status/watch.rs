// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Rates of links and interfaces between two samples, a line for each.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde::Serialize;

use super::{Args, chosen, is_shown};
use crate::{
    netdevs::{self, Counters, Netdev, Role},
    netlink::Netlink,
    output::{print, printable},
    signals::{Signals, Waited},
};

/// Number of samples after which the titles are printed again.
const PAGE: u64 = 20;

/// The rates of a device between two samples, and its errors since it exists.
#[derive(Debug, PartialEq, Serialize)]
struct Rates<'a> {
    interface: &'a str,
    state: &'static str,
    rx_frames_per_s: f64,
    rx_mbit_per_s: f64,
    tx_frames_per_s: f64,
    tx_mbit_per_s: f64,
    dropped: u64,
    errors: u64,
}

impl<'a> Rates<'a> {
    fn new(before: &Counters, now: &'a Netdev, time: Duration) -> Self {
        let time = time.as_secs_f64().max(0.001);
        // Counters of a device do not go back; if one does, the rate is 0.
        let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / time;
        let mbit = |before: u64, now: u64| rate(before, now) * 8.0 / 1e6;
        let counters = &now.counters;
        Self {
            interface: &now.name,
            state: now.state(),
            rx_frames_per_s: rate(before.rx_packets, counters.rx_packets),
            rx_mbit_per_s: mbit(before.rx_bytes, counters.rx_bytes),
            tx_frames_per_s: rate(before.tx_packets, counters.tx_packets),
            tx_mbit_per_s: mbit(before.tx_bytes, counters.tx_bytes),
            dropped: counters.dropped(),
            errors: counters.errors(),
        }
    }

    fn line(&self) -> String {
        format!(
            "{:<15} {:<10} {:>12.1} {:>10.3} {:>12.1} {:>10.3} {:>9} {:>9}\n",
            printable(self.interface),
            self.state,
            self.rx_frames_per_s,
            self.rx_mbit_per_s,
            self.tx_frames_per_s,
            self.tx_mbit_per_s,
            self.dropped,
            self.errors
        )
    }
}

fn titles() -> String {
    format!(
        "{:<15} {:<10} {:>12} {:>10} {:>12} {:>10} {:>9} {:>9}\n",
        "INTERFACE",
        "STATE",
        "RX FRAMES/S",
        "RX MBIT/S",
        "TX FRAMES/S",
        "TX MBIT/S",
        "DROPPED",
        "ERRORS"
    )
}

/// Prints rates, up to a count or a signal. Devices may be removed and added meanwhile: a modem may
/// crash.
pub fn run(netlink: &Netlink, interval: Duration, args: &Args) -> Result<()> {
    let signals = Signals::new()?;
    let watched = |devs: Vec<Netdev>| -> Vec<Netdev> {
        devs.into_iter()
            .filter(|dev| dev.role != Role::Other && is_shown(&args.only, &dev.name))
            .collect()
    };
    let mut before = (Instant::now(), watched(chosen(netlink, &args.only)?));
    if before.1.is_empty() {
        bail!("there is no CAIF link: see `caifctl status`");
    }
    let mut next = before.0;
    let mut shown = 0;
    loop {
        next += interval;
        let left = next.saturating_duration_since(Instant::now());
        if signals.wait(&[], Some(left))? == Waited::End {
            return Ok(());
        }
        let now = (Instant::now(), watched(netdevs::all(netlink)?));
        let mut text = String::new();
        if shown % PAGE == 0 && !args.json {
            text += &titles();
        }
        for rates in compare(&before.1, &now.1, now.0.duration_since(before.0)) {
            if args.json {
                writeln!(text, "{}", serde_json::to_string(&rates)?)?;
            } else {
                text += &rates.line();
            }
        }
        print(&text)?;
        shown += 1;
        if args.count == Some(shown) {
            return Ok(());
        }
        before = now;
    }
}

/// Returns the rates of all devices that existed before. A device of the same name may be a new
/// one.
fn compare<'a>(before: &[Netdev], now: &'a [Netdev], time: Duration) -> Vec<Rates<'a>> {
    now.iter()
        .filter_map(|dev| {
            let old = before.iter().find(|old| old.index == dev.index)?;
            Some(Rates::new(&old.counters, dev, time))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dev(index: u32, packets: u64) -> Netdev {
        Netdev {
            index,
            name: "cfvrt0".to_owned(),
            role: Role::Link,
            up: true,
            carrier: true,
            mtu: 4032,
            counters: Counters {
                rx_packets: packets,
                rx_bytes: packets * 1250,
                tx_bytes: packets * 125_000,
                rx_errors: packets / 1000,
                ..Counters::default()
            },
            addresses: Vec::new(),
        }
    }

    #[test]
    fn what_passed_is_divided_by_the_time() {
        let (before, now) = (dev(2, 0), dev(2, 3000));
        let rates = Rates::new(&before.counters, &now, Duration::from_secs(2));
        assert_eq!(
            titles() + &rates.line(),
            "INTERFACE       STATE       RX FRAMES/S  RX MBIT/S  TX FRAMES/S  TX MBIT/S   DROPPED    ERRORS\n\
             cfvrt0          up               1500.0     15.000          0.0   1500.000         0         3\n"
        );
        assert_eq!(
            serde_json::to_string(&rates).unwrap(),
            "{\"interface\":\"cfvrt0\",\"state\":\"up\",\"rx_frames_per_s\":1500.0,\"rx_mbit_per_s\":15.0,\
             \"tx_frames_per_s\":0.0,\"tx_mbit_per_s\":1500.0,\"dropped\":0,\"errors\":3}"
        );
    }

    #[test]
    fn no_time_and_counters_that_go_back_are_no_rates() {
        let (before, now) = (dev(2, 9), dev(2, 3));
        let rates = Rates::new(&before.counters, &now, Duration::ZERO);
        assert_eq!((rates.rx_frames_per_s, rates.tx_mbit_per_s), (0.0, 0.0));
    }

    #[test]
    fn a_device_that_replaced_another_is_not_compared_with_it() {
        let (before, now) = ([dev(2, 9)], [dev(3, 10)]);
        assert_eq!(compare(&before, &now, Duration::from_secs(1)), []);
        assert_eq!(compare(&now, &now, Duration::from_secs(1)).len(), 1);
    }
}
