// SPDX-License-Identifier: GPL-2.0

//! Counts the instructions of an interrupt by function and by subject.

mod machine;
mod owner;
mod trace;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use bench_report::{console::Job, symbols::Symbols};
use clap::Parser;
use serde_json::{Value, json};

use owner::Owner;
use trace::Window;

/// The drivers: name of the module, and name in the table.
const DRIVERS: [(&str, &str); 2] = [("caif_virtio", "Rust"), ("caif_virtio_c", "C")];
/// Frames per interrupt, and frames per chain.
const SHAPES: [(u32, u32); 4] = [(1, 1), (8, 1), (32, 1), (8, 8)];
const PAYLOADS: [u32; 2] = [64, 1500];

/// Lets a machine execute interrupts of each driver while QEMU logs each instruction, and counts
/// these by function and by subject.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Print the counts of functions as well
    #[arg(long)]
    functions: bool,
    #[command(flatten)]
    job: Job,
}

/// The instructions of one interrupt.
struct Profile {
    driver: &'static str,
    frames: u32,
    chain: u32,
    payload: u32,
    window: Window,
}

impl Profile {
    /// Returns the column's title: frames, and frames per chain.
    fn shape(&self) -> String {
        match self.chain {
            1 => self.frames.to_string(),
            chain => format!("{} in chains of {chain}", self.frames),
        }
    }

    /// Returns the instructions per frame.
    fn per_frame(&self, count: u64) -> f64 {
        count as f64 / f64::from(self.frames)
    }

    fn by_owner(&self) -> BTreeMap<Owner, u64> {
        let mut sums = BTreeMap::new();
        for (name, count) in &self.window.functions {
            *sums.entry(Owner::of(name)).or_default() += count;
        }
        sums
    }
}

fn main() -> Result<()> {
    let Args {
        functions: all,
        job,
    } = Args::parse();
    let traces = job.out.join("traces");
    let symbols =
        machine::trace(&job.line, &traces).with_context(|| format!("see {}", job.out.display()))?;
    let symbols = Symbols::read(&job.system_map, &symbols)?;
    let mut profiles = Vec::new();
    for payload in PAYLOADS {
        for (frames, chain) in SHAPES {
            for (module, driver) in DRIVERS {
                let path = path(&traces, module, &format!("{frames},{chain},{payload}"));
                let window = trace::shortest(&path, &symbols, module)
                    .with_context(|| path.display().to_string())?;
                profiles.push(Profile {
                    driver,
                    frames,
                    chain,
                    payload,
                    window,
                });
            }
        }
    }
    if profiles.iter().any(|profile| profile.window.total == 0) {
        bail!("an interrupt without instructions");
    }
    let table = owners(&profiles);
    print!("{table}");
    let functions = functions(&profiles);
    if all {
        print!("\n{functions}");
    }
    fs::write(job.out.join("profile.md"), format!("{table}\n{functions}"))?;
    fs::write(
        job.out.join("profile.json"),
        serde_json::to_vec_pretty(&to_json(&profiles))?,
    )?;
    // They have some GiB.
    fs::remove_dir_all(&traces)?;
    Ok(())
}

/// Returns the path of the log of a driver's interrupts of a shape: frames, frames of a chain, and
/// bytes of a frame.
fn path(traces: &Path, driver: &str, shape: &str) -> PathBuf {
    traces.join(format!("{driver}-{shape}"))
}

/// Returns tables of the instructions per frame by subject, one for each length of frames, in
/// Markdown.
fn owners(profiles: &[Profile]) -> String {
    let table = |payload| {
        let of_payload: Vec<_> = profiles
            .iter()
            .filter(|profile| profile.payload == payload)
            .collect();
        owners_of(payload, &of_payload)
    };
    PAYLOADS.map(table).join("\n")
}

/// Returns the table of one length of frames.
fn owners_of(payload: u32, profiles: &[&Profile]) -> String {
    let first = format!("frames of {payload} bytes");
    let mut head = format!("| {first:31} |");
    let mut rule = "|---|".to_owned();
    for profile in profiles {
        let what = format!("{}, {}", profile.driver, profile.shape());
        head += &format!(" {what:>22} |");
        rule += "---|";
    }
    let mut lines = vec![head, rule];
    let sums: Vec<_> = profiles.iter().map(|profile| profile.by_owner()).collect();
    for owner in Owner::ALL {
        let mut line = format!("| {:31} |", owner.to_string());
        for (profile, sums) in profiles.iter().zip(&sums) {
            let count = sums.get(&owner).copied().unwrap_or(0);
            line += &format!(" {:>22.0} |", profile.per_frame(count));
        }
        lines.push(line);
    }
    let mut line = format!("| {:31} |", "all");
    for profile in profiles {
        line += &format!(" {:>22.0} |", profile.per_frame(profile.window.total));
    }
    lines.push(line);
    lines.join("\n") + "\n"
}

/// Returns a list of functions for each interrupt.
fn functions(profiles: &[Profile]) -> String {
    let mut lines = Vec::new();
    for profile in profiles {
        lines.push(format!(
            "{}, {} of {} bytes, instructions per frame:",
            profile.driver,
            profile.shape(),
            profile.payload
        ));
        let mut sorted: Vec<_> = profile.window.functions.iter().collect();
        sorted.sort_by_key(|(name, count)| (u64::MAX - **count, *name));
        for (name, count) in sorted {
            let name = format!("{:#}", rustc_demangle::demangle(name));
            lines.push(format!("{:10.1}  {name}", profile.per_frame(*count)));
        }
        lines.push(String::new());
    }
    lines.join("\n")
}

fn to_json(profiles: &[Profile]) -> Value {
    let one = |profile: &Profile| {
        let owners: BTreeMap<_, _> = profile
            .by_owner()
            .into_iter()
            .map(|(owner, count)| (owner.to_string(), count))
            .collect();
        json!({
            "driver": profile.driver,
            "frames": profile.frames,
            "chain": profile.chain,
            "payload": profile.payload,
            "instructions": profile.window.total,
            "owners": owners,
            "functions": profile.window.functions,
        })
    };
    profiles.iter().map(one).collect()
}
