// SPDX-License-Identifier: GPL-2.0

//! Makes a table, a picture and a JSON file of the bench's measurements.

mod growth;
mod plot;
mod rows;
mod stack;
mod targets;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;

use rows::Measured;
use targets::Target;

/// Makes a table, a picture and a JSON file of the bench's measurements.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The machine's output
    log: PathBuf,
    /// The commit it was measured at
    #[arg(long)]
    commit: String,
    /// The folder for bench.md, bench.svg and bench.json
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let log = fs::read_to_string(&args.log).with_context(|| args.log.display().to_string())?;
    let measured = rows::read(&log)?;
    let mut targets = targets::all(&measured);
    targets.extend(growth::targets(&measured.growth));
    targets.extend(measured.stack.targets());
    fs::create_dir_all(&args.out)?;
    let table = table(&measured, &targets, &args.commit);
    print!("{table}");
    fs::write(args.out.join("bench.md"), table)?;
    plot::draw(&measured, &args.out.join("bench.svg"))?;
    fs::write(
        args.out.join("bench.json"),
        serde_json::to_vec_pretty(&json(&measured, &args.commit))?,
    )?;
    println!(
        "bench.md, bench.svg and bench.json are in {}",
        args.out.display()
    );
    let missed = targets.iter().filter(|target| !target.met()).count();
    println!("{} targets met, {missed} missed", targets.len() - missed);
    Ok(if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Returns the table, in Markdown.
fn table(measured: &Measured, targets: &[Target], commit: &str) -> String {
    let mut lines = vec![
        format!("Instructions per frame, medians, at commit {commit}"),
        String::new(),
        format!(
            "| {:15} | {:>9} | {:>5} | {:>5} | {:>7} | {:>8} | {:>8} | {:>6} | {:>7} | {:>8} | {:>6} | {:>6} |",
            "what",
            "EVENT_IDX",
            "burst",
            "chain",
            "payload",
            "Rust",
            "C",
            "Rust/C",
            "spread",
            "floor",
            "kicks",
            "kicks C"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (key, rust) in &measured.rust {
        let c = &measured.c[key];
        let floor = measured
            .floor(key)
            .map_or_else(String::new, |floor| format!("{floor:.0}"));
        lines.push(format!(
            "| {:15} | {:>9} | {:>5} | {:>5} | {:>7} | {:>8.0} | {:>8.0} | {:>6.2} | {:>6.1}% | {:>8} | {:>6.3} | {:>6.3} |",
            key.row,
            key.event_idx,
            key.burst,
            key.chain,
            key.payload,
            rust.median,
            c.median,
            rust.median / c.median,
            100.0 * (rust.max - rust.min) / rust.median,
            floor,
            rust.kicks,
            c.kicks,
        ));
    }
    lines.push(String::new());
    lines.extend(measured.stack.table());
    lines.push(String::new());
    lines.extend(growth::table(&measured.growth));
    lines.extend([
        String::new(),
        format!(
            "| {:64} | {:>6} | {:>7} | {:6} |",
            "target", "found", "at most", ""
        ),
        "|---|---|---|---|".to_owned(),
    ]);
    for target in targets {
        lines.push(format!(
            "| {:64} | {:>6.3} | {:>7.3} | {:6} |",
            target.what,
            target.found,
            target.most,
            if target.met() { "met" } else { "MISSED" }
        ));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn json(measured: &Measured, commit: &str) -> serde_json::Value {
    let rows: Vec<_> = measured
        .rust
        .iter()
        .map(|(key, rust)| json!({ "what": key, "rust": rust, "c": measured.c[key] }))
        .collect();
    let memory: Vec<_> = growth::RINGS
        .iter()
        .map(|ring| json!({ "ring": ring, "kib": growth::memory(&measured.growth, *ring) }))
        .collect();
    json!({
        "commit": commit,
        "unit": "instructions per frame",
        "rows": rows,
        "stack": measured.stack.json(),
        "growth": measured.growth,
        "memory_per_modem": memory,
    })
}
