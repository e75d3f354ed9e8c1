// SPDX-License-Identifier: GPL-2.0

//! Makes a table of the speed of the modem's services over CAIF, with driver and stack in Rust and
//! in C, and over virtio-net.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};

/// Makes a table of the speed of the modem's services over CAIF, with driver and stack in Rust and
/// in C, and over virtio-net.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The machine's output
    log: PathBuf,
    /// The commit it was measured at
    #[arg(long)]
    commit: String,
    /// The folder for end-to-end.md and end-to-end.json
    #[arg(long)]
    out: PathBuf,
}

/// The links: that of this driver first, then those it is compared with.
const LINKS: [&str; 3] = ["caif_virtio", "caif_virtio_c", "virtio-net"];

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

/// The values of all rounds, sorted.
struct Sample(Vec<f64>);

impl Sample {
    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    /// Returns the difference of the largest and the smallest value, as a fraction of the median.
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
            rounds.len() / LINKS.len(),
            args.commit
        ),
        String::new(),
        format!(
            "| {:22} | {:6} | {:>9} | {:>7} | {:>9} | {:>7} | {:>10} | {:>7} | {:>8} | {:>17} |",
            "what",
            "unit",
            "CAIF Rust",
            "spread",
            "CAIF C",
            "spread",
            "virtio-net",
            "spread",
            "Rust / C",
            "Rust / virtio-net"
        ),
        "|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    let mut rows = Vec::new();
    for (key, what, unit, more) in MEASURES {
        let [rust, c, net] = [
            sample(&rounds, LINKS[0], key)?,
            sample(&rounds, LINKS[1], key)?,
            sample(&rounds, LINKS[2], key)?,
        ];
        let to_c = ratio(&rounds, LINKS[1], key, more)?;
        let to_net = ratio(&rounds, LINKS[2], key, more)?;
        lines.push(format!(
            "| {what:22} | {unit:6} | {:>9.1} | {:>6.0}% | {:>9.1} | {:>6.0}% | {:>10.1} | {:>6.0}% \
             | {to_c:>8.2} | {to_net:>17.2} |",
            rust.median(),
            100.0 * rust.spread(),
            c.median(),
            100.0 * c.spread(),
            net.median(),
            100.0 * net.spread(),
        ));
        rows.push(json!({
            "what": what, "unit": unit, "rust": rust.0, "c": c.0, "virtio-net": net.0,
            "rust_to_c": to_c, "rust_to_virtio-net": to_net,
        }));
    }
    lines.extend([
        String::new(),
        "A ratio above 1 is for driver and stack in Rust.".to_owned(),
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

/// Parses the machine's output. Incomplete output is an error.
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
    let of = |link: &str| rounds.iter().filter(|round| round.link == link).count();
    let each = rounds.len() / LINKS.len();
    ensure!(
        each >= 3 && LINKS.iter().all(|link| of(link) == each) && rounds.len() % LINKS.len() == 0,
        "not as many rounds of one link as of the others, or fewer than three"
    );
    Ok(rounds)
}

/// Returns the median, over the rounds, of this driver's ratio to another link.
fn ratio(rounds: &[Round], other: &str, key: &str, more: bool) -> Result<f64> {
    let ratios = values(rounds, LINKS[0], key)?
        .into_iter()
        .zip(values(rounds, other, key)?)
        .map(|(this, other)| if more { this / other } else { other / this });
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    Ok(Sample(ratios).median())
}

/// Returns the values of a measurement, sorted.
fn sample(rounds: &[Round], link: &str, key: &str) -> Result<Sample> {
    let mut values = values(rounds, link, key)?;
    values.sort_by(f64::total_cmp);
    Ok(Sample(values))
}

/// Returns the values of a measurement, in the order of the rounds.
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
        let sample = sample(&rounds, LINKS[0], "udp").unwrap();
        assert_eq!((sample.median(), sample.spread()), (3.0, 4.0 / 3.0));
    }

    #[test]
    fn ratio_is_that_of_a_round() {
        let log = log(3).replacen("\"caif_virtio\",\"udp\":2", "\"caif_virtio\",\"udp\":8", 1);
        let rounds = read(&log).unwrap();
        assert_eq!(ratio(&rounds, LINKS[2], "udp", true).unwrap(), 1.0);
        let log = log.replace("\"caif_virtio\",\"udp\":3", "\"caif_virtio\",\"udp\":6");
        let log = log.replace(
            "\"caif_virtio_c\",\"udp\":3",
            "\"caif_virtio_c\",\"udp\":12",
        );
        let rounds = read(&log).unwrap();
        assert_eq!(ratio(&rounds, LINKS[2], "udp", true).unwrap(), 2.0);
        assert_eq!(ratio(&rounds, LINKS[2], "udp", false).unwrap(), 0.5);
        assert_eq!(ratio(&rounds, LINKS[1], "udp", true).unwrap(), 1.0);
    }

    #[test]
    fn what_is_not_complete_is_refused() {
        assert!(read(&log(2)).is_err());
        assert!(read(log(5).trim_end_matches("{\"end\":true}\n")).is_err());
        for (link, other) in [(0, 1), (1, 2), (2, 0)] {
            let name = |at: usize| format!("{{\"link\":\"{}\"", LINKS[at]);
            let uneven = log(5).replacen(&name(link), &name(other), 1);
            assert!(read(&uneven).is_err(), "{uneven}");
            let short = log(5).replacen(&name(link), "{\"not\":\"one\"", 1);
            assert!(read(&short).is_err(), "{short}");
        }
        assert!(sample(&read(&log(5)).unwrap(), LINKS[0], "tcp_sent").is_err());
    }
}
