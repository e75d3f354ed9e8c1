// SPDX-License-Identifier: GPL-2.0

//! The table of what the processors did.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};
use bench_report::symbols::Symbols;
use serde_json::{Value, json};

use crate::{
    machine::{CPUS, Sampled},
    register::Sample,
    subject::Subject,
};

/// What one processor did while the machine did one thing.
pub struct Processor {
    /// What the machine did.
    name: String,
    cpu: u32,
    counts: BTreeMap<Subject, usize>,
    all: usize,
}

impl Processor {
    fn percent(&self, subject: Subject) -> f64 {
        let count = self.counts.get(&subject).copied().unwrap_or(0);
        100.0 * count as f64 / self.all as f64
    }
}

/// Counts the samples of each processor, which must have some.
pub fn columns(system_map: &Path, sampled: &Sampled) -> Result<Vec<Processor>> {
    let mut columns = Vec::new();
    for (name, samples) in &sampled.samples {
        let of = name.rsplit_once('-').map_or(name.as_str(), |(of, _)| of);
        let symbols = sampled.symbols.get(of);
        let symbols = symbols.with_context(|| format!("{name} has no symbols"))?;
        let symbols = Symbols::read(system_map, symbols)?;
        for cpu in 0..CPUS {
            columns.push(column(name, cpu, samples, &symbols)?);
        }
    }
    Ok(columns)
}

fn column(name: &str, cpu: u32, samples: &[Sample], symbols: &Symbols) -> Result<Processor> {
    // All modules that it has symbols of were there.
    let functions = symbols.with("", &[]);
    let mut counts = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.cpu == cpu) {
        *counts.entry(Subject::of(sample, &functions)).or_default() += 1;
    }
    let all = counts.values().sum();
    ensure!(all > 0, "{name} has no samples of processor {cpu}");
    Ok(Processor {
        name: name.to_owned(),
        cpu,
        counts,
        all,
    })
}

/// Returns the table in Markdown.
pub fn markdown(columns: &[Processor]) -> String {
    let mut head = format!("| {:28} |", "what, percent of a processor");
    let mut rule = "| --- |".to_owned();
    for column in columns {
        head += &format!(" {:>12} |", format!("{}: {}", column.name, column.cpu));
        rule += " --- |";
    }
    let mut lines = vec![head, rule];
    for subject in Subject::ALL {
        let mut line = format!("| {:28} |", subject.to_string());
        for column in columns {
            line += &format!(" {:>12.1} |", column.percent(subject));
        }
        lines.push(line);
    }
    let mut line = format!("| {:28} |", "samples");
    for column in columns {
        line += &format!(" {:>12} |", column.all);
    }
    lines.push(line);
    lines.join("\n") + "\n"
}

/// Returns the same for machines, with counts.
pub fn json(columns: &[Processor]) -> Value {
    let one = |column: &Processor| {
        let counts: BTreeMap<_, _> = Subject::ALL
            .iter()
            .map(|subject| {
                let count = column.counts.get(subject).copied().unwrap_or(0);
                (subject.to_string(), count)
            })
            .collect();
        json!({
            "name": column.name,
            "cpu": column.cpu,
            "samples": column.all,
            "counts": counts,
        })
    };
    columns.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_processor_has_its_column() {
        let symbols = Symbols::parse("100 T kfree\n", "200 t poll\t[caif]\n").unwrap();
        let sample = |cpu, address| Sample {
            cpu,
            address,
            program: false,
            idle: address == 0,
        };
        let samples = [
            sample(0, 0x100),
            sample(1, 0x200),
            sample(0, 0),
            sample(0, 0),
        ];
        let columns = [0, 1].map(|cpu| column("rust-to", cpu, &samples, &symbols).unwrap());
        let table = markdown(&columns);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2 + Subject::ALL.len() + 1);
        assert!(
            lines[0].ends_with("|   rust-to: 0 |   rust-to: 1 |"),
            "{table}"
        );
        assert!(
            lines[2].ends_with("|         66.7 |          0.0 |"),
            "{table}"
        );
        assert!(
            lines[13].ends_with("|            3 |            1 |"),
            "{table}"
        );
        assert_eq!(json(&columns)[0]["counts"]["idle"], 2);
        assert!(column("rust-to", 2, &samples, &symbols).is_err());
    }
}
