// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Compares the ring under test with the crate `virtio-queue` over many random chains.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use vring_host_tests::differential;

/// Compares the reversed ring with the device side of the crate virtio-queue.
///
/// Prints one line with what was compared. The exit status is 0 if the two agree on everything.
#[derive(Parser)]
struct Args {
    /// Chains to compare
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    chains: u64,
    /// With VIRTIO_RING_F_EVENT_IDX
    #[arg(long)]
    event_idx: bool,
    /// Start of the random numbers; the same seed makes the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let features = if args.event_idx {
        "with EVENT_IDX"
    } else {
        "without EVENT_IDX"
    };
    let start = Instant::now();
    let live = std::io::stderr().is_terminal();
    let result = differential::run(args.chains, args.event_idx, args.seed, |totals| {
        if live {
            let percent = totals.chains * 100 / args.chains;
            eprint!("\r{percent:3} %  {} chains {features}", totals.chains);
            // Progress that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    });
    if live {
        eprint!("\r\x1b[K");
    }
    match result {
        Ok(totals) => {
            println!(
                "{} chains {features} agree: {} segments, longest chain {}, \
                 {} of a whole ring, {} rings, \
                 {} of {} decisions to notify, seed {}, {:.1} s",
                totals.chains,
                totals.segments,
                totals.longest,
                totals.whole,
                totals.rings,
                totals.notified,
                totals.decisions,
                args.seed,
                start.elapsed().as_secs_f32()
            );
            ExitCode::SUCCESS
        }
        Err(disagreement) => {
            eprintln!("error: {features}, seed {}: {disagreement}", args.seed);
            ExitCode::FAILURE
        }
    }
}
