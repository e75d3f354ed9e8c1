// SPDX-License-Identifier: GPL-2.0

//! Makes a table of the speed of the modem's services over CAIF, by the languages of driver and
//! stack, and over virtio-net.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde::Deserialize;
use serde_json::{Value, json};

/// Makes a table of the speed of the modem's services over CAIF, by the languages of driver and
/// stack, and over virtio-net.
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

/// The links: driver and stack of this project first, then what they are compared with. Key, and
/// column of the table.
const LINKS: [(&str, &str); 4] = [
    ("rust/rust", "Rust + Rust"),
    ("rust/c", "Rust + C"),
    ("c/c", "C + C"),
    ("virtio-net", "virtio-net"),
];

/// What is measured of each link.
struct Measure {
    key: &'static str,
    what: &'static str,
    unit: &'static str,
    /// The unit, in that of the machine's output.
    scale: f64,
    more_is_better: bool,
}

const fn measure(key: &'static str, what: &'static str, unit: &'static str) -> Measure {
    Measure {
        key,
        what,
        unit,
        scale: 1.0,
        more_is_better: true,
    }
}

const fn time(key: &'static str, what: &'static str) -> Measure {
    Measure {
        more_is_better: false,
        ..measure(key, what, "us")
    }
}

const fn iperf3(key: &'static str, what: &'static str) -> Measure {
    Measure {
        scale: 1e6,
        ..measure(key, what, "Mbit/s")
    }
}

const MEASURES: [Measure; 10] = [
    time("ping_median", "ping, median"),
    time("ping_p99", "ping, 99th percentile"),
    measure("small", "packets of 64 bytes and back", "1/s"),
    measure("udp", "datagrams and back", "Mbit/s"),
    measure("tcp_sent", "stream to the modem", "Mbit/s"),
    measure("tcp_received", "stream from the modem", "Mbit/s"),
    iperf3("iperf3_to", "iperf3 to the modem"),
    iperf3("iperf3_from", "iperf3 from the modem"),
    iperf3("iperf3_4_to", "iperf3, 4 streams to it"),
    iperf3("iperf3_4_from", "iperf3, 4 streams from it"),
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
            "Medians of {} rounds and their spread, at commit {}",
            rounds.len() / LINKS.len(),
            args.commit
        ),
        String::new(),
        row(["what", "unit"]
            .into_iter()
            .chain(LINKS.iter().flat_map(|(_, title)| [*title, "spread"]))
            .map(str::to_owned)
            .chain(LINKS[1..].iter().map(|(_, title)| format!("R+R / {title}")))),
        format!("|{}", "---|".repeat(1 + 3 * LINKS.len())),
    ];
    let mut objects = Vec::new();
    for measure in &MEASURES {
        let mut cells = vec![measure.what.to_owned(), measure.unit.to_owned()];
        let mut object = json!({ "what": measure.what, "unit": measure.unit });
        for (link, _) in LINKS {
            let sample = sample(&rounds, link, measure)?;
            cells.push(format!("{:.1}", sample.median()));
            cells.push(format!("{:.0}%", 100.0 * sample.spread()));
            object[link] = json!(sample.0);
        }
        for (link, _) in &LINKS[1..] {
            let ratio = ratio(&rounds, link, measure)?;
            cells.push(format!("{ratio:.2}"));
            object[format!("to {link}")] = json!(ratio);
        }
        lines.push(row(cells));
        objects.push(object);
    }
    lines.extend([
        String::new(),
        "A ratio is above 1 where driver and stack in Rust are better.".to_owned(),
        String::new(),
    ]);
    let table = lines.join("\n");
    print!("{table}");
    fs::create_dir_all(&args.out)?;
    fs::write(args.out.join("end-to-end.md"), &table)?;
    let json = json!({ "commit": args.commit, "rows": objects });
    fs::write(
        args.out.join("end-to-end.json"),
        serde_json::to_vec_pretty(&json)?,
    )?;
    Ok(())
}

/// Returns a row of the table.
fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells = cells.into_iter().fold(String::new(), |mut line, cell| {
        line.push_str(&format!(" {cell} |"));
        line
    });
    format!("|{cells}")
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
        each >= 3
            && LINKS.iter().all(|(link, _)| of(link) == each)
            && rounds.len() % LINKS.len() == 0,
        "not as many rounds of one link as of the others, or fewer than three"
    );
    Ok(rounds)
}

/// Returns the median, over the rounds, of this driver's and stack's ratio to another link.
fn ratio(rounds: &[Round], other: &str, measure: &Measure) -> Result<f64> {
    let ratios = values(rounds, LINKS[0].0, measure)?
        .into_iter()
        .zip(values(rounds, other, measure)?)
        .map(|(this, other)| {
            if measure.more_is_better {
                this / other
            } else {
                other / this
            }
        });
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    Ok(Sample(ratios).median())
}

/// Returns the values of a measurement, sorted.
fn sample(rounds: &[Round], link: &str, measure: &Measure) -> Result<Sample> {
    let mut values = values(rounds, link, measure)?;
    values.sort_by(f64::total_cmp);
    Ok(Sample(values))
}

/// Returns the values of a measurement, in the order of the rounds.
fn values(rounds: &[Round], link: &str, measure: &Measure) -> Result<Vec<f64>> {
    rounds
        .iter()
        .filter(|round| round.link == link)
        .map(|round| {
            let value = round.values.get(measure.key).and_then(Value::as_f64);
            value
                .filter(|value| *value > 0.0)
                .map(|value| value / measure.scale)
                .with_context(|| format!("no {} of {link}", measure.key))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UDP: Measure = measure("udp", "", "");

    fn log(rounds: usize) -> String {
        let round = |link: &str, i: usize| format!("{{\"link\":\"{link}\",\"udp\":{}}}\r\n", i + 1);
        (0..rounds)
            .flat_map(|i| LINKS.map(|(link, _)| round(link, i)))
            .chain(["{\"end\":true}\n".to_owned()])
            .collect()
    }

    #[test]
    fn median_and_spread() {
        let rounds = read(&log(5)).unwrap();
        let value = sample(&rounds, LINKS[0].0, &UDP).unwrap();
        assert_eq!((value.median(), value.spread()), (3.0, 4.0 / 3.0));
        let scaled = Measure { scale: 10.0, ..UDP };
        assert_eq!(sample(&rounds, LINKS[0].0, &scaled).unwrap().median(), 0.3);
    }

    #[test]
    fn ratio_is_that_of_a_round() {
        let log = log(3).replacen("\"rust/rust\",\"udp\":2", "\"rust/rust\",\"udp\":8", 1);
        let rounds = read(&log).unwrap();
        assert_eq!(ratio(&rounds, "virtio-net", &UDP).unwrap(), 1.0);
        let log = log.replace("\"rust/rust\",\"udp\":3", "\"rust/rust\",\"udp\":6");
        let log = log.replace("\"c/c\",\"udp\":3", "\"c/c\",\"udp\":12");
        let rounds = read(&log).unwrap();
        let less = Measure {
            more_is_better: false,
            ..UDP
        };
        assert_eq!(ratio(&rounds, "virtio-net", &UDP).unwrap(), 2.0);
        assert_eq!(ratio(&rounds, "virtio-net", &less).unwrap(), 0.5);
        assert_eq!(ratio(&rounds, "c/c", &UDP).unwrap(), 1.0);
    }

    #[test]
    fn what_is_not_complete_is_refused() {
        assert!(read(&log(2)).is_err());
        assert!(read(log(5).trim_end_matches("{\"end\":true}\n")).is_err());
        for (link, other) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
            let name = |at: usize| format!("{{\"link\":\"{}\"", LINKS[at].0);
            let uneven = log(5).replacen(&name(link), &name(other), 1);
            assert!(read(&uneven).is_err(), "{uneven}");
            let short = log(5).replacen(&name(link), "{\"not\":\"one\"", 1);
            assert!(read(&short).is_err(), "{short}");
        }
        let sent = measure("tcp_sent", "", "");
        assert!(sample(&read(&log(5)).unwrap(), LINKS[0].0, &sent).is_err());
    }
}
