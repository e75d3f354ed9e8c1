// SPDX-License-Identifier: GPL-2.0

//! Makes a table of what the modem's services gave over CAIF and over virtio-net.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};

/// Makes a table of what the modem's services gave over CAIF and over virtio-net.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// What the machine printed
    log: PathBuf,
    /// The commit it was measured at
    #[arg(long)]
    commit: String,
    /// The folder for end-to-end.md and end-to-end.json
    #[arg(long)]
    out: PathBuf,
}

const LINKS: [&str; 2] = ["caif", "virtio-net"];

/// The measurements: key, what it is, unit, and whether more is better.
const MEASURES: [(&str, &str, &str, bool); 5] = [
    ("ping_median", "ping, median", "us", false),
    ("ping_p99", "ping, 99th percentile", "us", false),
    ("udp", "datagrams and back", "Mbit/s", true),
    ("tcp_sent", "stream to the modem", "Mbit/s", true),
    ("tcp_received", "stream from the modem", "Mbit/s", true),
];

#[derive(Deserialize)]
struct Round {
    link: String,
    #[serde(flatten)]
    values: serde_json::Map<String, Value>,
}

/// What was found in all rounds, sorted.
struct Sample(Vec<f64>);

impl Sample {
    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// Largest less smallest, by the median.
    fn spread(&self) -> f64 {
        (self.0[self.0.len() - 1] - self.0[0]) / self.median()
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let log = fs::read_to_string(&args.log).with_context(|| args.log.display().to_string())?;
    let rounds = read(&log)?;
    let mut lines = vec![
        format!(
            "Medians of {} rounds, at commit {}",
            rounds.len() / 2,
            args.commit
        ),
        String::new(),
        format!(
            "| {:22} | {:6} | {:>10} | {:>7} | {:>10} | {:>7} | {:>6} |",
            "what", "unit", "CAIF", "spread", "virtio-net", "spread", "ratio"
        ),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    let mut rows = Vec::new();
    for (key, what, unit, more) in MEASURES {
        let [caif, net] = [
            sample(&rounds, LINKS[0], key)?,
            sample(&rounds, LINKS[1], key)?,
        ];
        let ratio = ratio(&rounds, key, more)?;
        lines.push(format!(
            "| {what:22} | {unit:6} | {:>10.1} | {:>6.0}% | {:>10.1} | {:>6.0}% | {ratio:>6.2} |",
            caif.median(),
            100.0 * caif.spread(),
            net.median(),
            100.0 * net.spread(),
        ));
        rows.push(json!({
            "what": what, "unit": unit, "caif": caif.0, "virtio-net": net.0, "ratio": ratio,
        }));
    }
    lines.extend([
        String::new(),
        "A ratio above 1 is for CAIF.".to_owned(),
        String::new(),
    ]);
    let table = lines.join("\n");
    print!("{table}");
    fs::create_dir_all(&args.out)?;
    fs::write(args.out.join("end-to-end.md"), &table)?;
    let json = json!({ "commit": args.commit, "rows": rows });
    fs::write(
        args.out.join("end-to-end.json"),
        serde_json::to_vec_pretty(&json)?,
    )?;
    Ok(())
}

/// Reads the output of the machine. It is an error if that is not complete.
fn read(log: &str) -> Result<Vec<Round>> {
    let lines = || {
        log.lines()
            .map(str::trim)
            .filter(|line| line.starts_with('{'))
    };
    ensure!(
        lines().any(|line| line == "{\"end\":true}"),
        "the machine did not come to the end"
    );
    let rounds = lines()
        .filter(|line| line.contains("\"link\""))
        .map(|line| serde_json::from_str(line).with_context(|| line.to_owned()))
        .collect::<Result<Vec<Round>>>()?;
    let of = |link| rounds.iter().filter(|round| round.link == link).count();
    ensure!(
        of(LINKS[0]) == of(LINKS[1])
            && of(LINKS[0]) + of(LINKS[1]) == rounds.len()
            && of(LINKS[0]) >= 3,
        "not as many rounds of one link as of the other, or fewer than three"
    );
    Ok(rounds)
}

/// The median of what CAIF was better by in a round, in which both were measured one after the other.
fn ratio(rounds: &[Round], key: &str, more: bool) -> Result<f64> {
    let [caif, net] = LINKS.map(|link| values(rounds, link, key));
    let ratios = caif?
        .into_iter()
        .zip(net?)
        .map(|(caif, net)| if more { caif / net } else { net / caif });
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    Ok(Sample(ratios).median())
}

/// The values of a measurement, sorted.
fn sample(rounds: &[Round], link: &str, key: &str) -> Result<Sample> {
    let mut values = values(rounds, link, key)?;
    values.sort_by(f64::total_cmp);
    Ok(Sample(values))
}

/// The values of a measurement, as they came.
fn values(rounds: &[Round], link: &str, key: &str) -> Result<Vec<f64>> {
    rounds
        .iter()
        .filter(|round| round.link == link)
        .map(|round| {
            let value = round.values.get(key).and_then(Value::as_f64);
            value
                .filter(|value| *value > 0.0)
                .with_context(|| format!("no {key} of {link}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(rounds: usize) -> String {
        let round = |link: &str, i: usize| format!("{{\"link\":\"{link}\",\"udp\":{}}}\r\n", i + 1);
        (0..rounds)
            .flat_map(|i| LINKS.map(|link| round(link, i)))
            .chain(["{\"end\":true}\n".to_owned()])
            .collect()
    }

    #[test]
    fn median_and_spread() {
        let rounds = read(&log(5)).unwrap();
        let sample = sample(&rounds, "caif", "udp").unwrap();
        assert_eq!((sample.median(), sample.spread()), (3.0, 4.0 / 3.0));
    }

    #[test]
    fn ratio_is_that_of_a_round() {
        let log = log(3).replacen("\"caif\",\"udp\":2", "\"caif\",\"udp\":8", 1);
        let rounds = read(&log).unwrap();
        assert_eq!(ratio(&rounds, "udp", true).unwrap(), 1.0);
        let log = log.replace("\"caif\",\"udp\":3", "\"caif\",\"udp\":6");
        let rounds = read(&log).unwrap();
        assert_eq!(ratio(&rounds, "udp", true).unwrap(), 2.0);
        assert_eq!(ratio(&rounds, "udp", false).unwrap(), 0.5);
    }

    #[test]
    fn what_is_not_complete_is_refused() {
        assert!(read(&log(2)).is_err());
        assert!(read(log(5).trim_end_matches("{\"end\":true}\n")).is_err());
        let uneven = log(5).replacen("caif", "virtio-net", 1);
        assert!(read(&uneven).is_err());
        assert!(sample(&read(&log(5)).unwrap(), "caif", "tcp_sent").is_err());
    }
}
