// SPDX-License-Identifier: GPL-2.0

//! Counts the instructions of an interrupt by what they belong to.

mod owner;
mod symbols;
mod trace;

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::{Value, json};

use owner::Owner;
use symbols::Symbols;
use trace::Window;

/// The drivers: how the module is called, and the table.
const DRIVERS: [(&str, &str); 2] = [("caif_virtio", "Rust"), ("caif_virtio_c", "C")];
const FRAMES: [u32; 3] = [1, 8, 32];
const PAYLOADS: [u32; 2] = [64, 1500];

/// Counts the instructions of an interrupt by what they belong to.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where the kernel's functions are
    #[arg(long)]
    system_map: PathBuf,
    /// Print the counts of functions as well
    #[arg(long)]
    functions: bool,
    /// The folder with the traces and the file `symbols`, for profile.md and profile.json
    folder: PathBuf,
}

/// What was executed for one interrupt.
struct Profile {
    driver: &'static str,
    frames: u32,
    payload: u32,
    window: Window,
}

impl Profile {
    /// Instructions per frame.
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
    let args = Args::parse();
    let symbols = Symbols::read(&args.system_map, &args.folder.join("symbols"))?;
    let mut profiles = Vec::new();
    for payload in PAYLOADS {
        for frames in FRAMES {
            for (module, driver) in DRIVERS {
                let path = args
                    .folder
                    .join(format!("traces/{module}-{frames}-{payload}"));
                let window = trace::shortest(&path, &symbols, module)
                    .with_context(|| path.display().to_string())?;
                profiles.push(Profile {
                    driver,
                    frames,
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
    if args.functions {
        print!("\n{functions}");
    }
    fs::write(
        args.folder.join("profile.md"),
        format!("{table}\n{functions}"),
    )?;
    fs::write(
        args.folder.join("profile.json"),
        serde_json::to_vec_pretty(&to_json(&profiles))?,
    )?;
    Ok(())
}

/// A table of what the instructions belong to, in Markdown.
fn owners(profiles: &[Profile]) -> String {
    let mut head = format!("| {:31} |", "instructions per frame");
    let mut rule = "|---|".to_owned();
    for profile in profiles {
        let what = format!("{}x{} {}", profile.frames, profile.payload, profile.driver);
        head += &format!(" {what:>12} |");
        rule += "---|";
    }
    let mut lines = vec![head, rule];
    let sums: Vec<_> = profiles.iter().map(Profile::by_owner).collect();
    for owner in Owner::ALL {
        let mut line = format!("| {:31} |", owner.to_string());
        for (profile, sums) in profiles.iter().zip(&sums) {
            let count = sums.get(&owner).copied().unwrap_or(0);
            line += &format!(" {:>12.0} |", profile.per_frame(count));
        }
        lines.push(line);
    }
    let mut line = format!("| {:31} |", "all");
    for profile in profiles {
        line += &format!(" {:>12.0} |", profile.per_frame(profile.window.total));
    }
    lines.push(line);
    lines.join("\n") + "\n"
}

/// A list of functions for each interrupt.
fn functions(profiles: &[Profile]) -> String {
    let mut lines = Vec::new();
    for profile in profiles {
        lines.push(format!(
            "{}, {} frames of {} bytes, instructions per frame:",
            profile.driver, profile.frames, profile.payload
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
            "payload": profile.payload,
            "instructions": profile.window.total,
            "owners": owners,
            "functions": profile.window.functions,
        })
    };
    profiles.iter().map(one).collect()
}
