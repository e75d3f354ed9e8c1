// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The catalogue: the faults of a modem as data, with the result that each must have.

use crate::{expr::Expr, firmware_file::FirmwareFile, step::Step};
use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The result of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// The fault was dropped and counted, or had no effect; the link was up all the time.
    Pass,
    /// The modem was recovered, and the link is back.
    Recovered,
    /// No frame passes afterwards.
    Wedged,
    /// Anything else.
    Failed,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Pass => "PASS",
            Self::Recovered => "RECOVERED",
            Self::Wedged => "WEDGED",
            Self::Failed => "FAILED",
        })
    }
}

/// The kind of notification suppression on both vrings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavour {
    /// `EVENT_IDX`.
    EventIdx,
    /// The flags `NO_INTERRUPT` and `NO_NOTIFY`.
    Flags,
}

impl Flavour {
    /// Returns the name of the firmware, without its suffix.
    pub fn firmware(self) -> &'static str {
        match self {
            Self::EventIdx => "hostile-event-idx",
            Self::Flags => "hostile-flags",
        }
    }
}

/// By how much a counter must move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawCount", into = "String")]
pub enum Count {
    /// By exactly this much.
    Exactly(u64),
    /// By this much or more.
    AtLeast(u64),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawCount {
    Number(u64),
    Text(String),
}

impl TryFrom<RawCount> for Count {
    type Error = String;

    fn try_from(raw: RawCount) -> Result<Self, String> {
        match raw {
            RawCount::Number(number) => Ok(Self::Exactly(number)),
            RawCount::Text(text) => match text.strip_suffix('+') {
                Some(least) => least.parse().map(Self::AtLeast),
                None => text.parse().map(Self::Exactly),
            }
            .map_err(|_| format!("{text:?} is no count: want 3, or \"3+\" for 3 and more")),
        }
    }
}

impl From<Count> for String {
    fn from(count: Count) -> Self {
        match count {
            Count::Exactly(number) => number.to_string(),
            Count::AtLeast(least) => format!("{least}+"),
        }
    }
}

impl Count {
    /// Returns whether a counter may move by `delta`.
    pub fn allows(self, delta: u64) -> bool {
        match self {
            Self::Exactly(want) => delta == want,
            Self::AtLeast(least) => delta >= least,
        }
    }
}

/// A case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Name of the case, unique in the catalogue.
    pub name: String,
    /// The part of the catalogue that it belongs to.
    #[serde(default)]
    pub group: String,
    /// The fault, in a few words.
    pub what: String,
    /// The result that it must have.
    pub expect: Verdict,
    /// The steps of the modem and the harness.
    pub steps: Vec<Step>,
    /// By how much counters of the interface must move. Counters of errors and drops that are not
    /// named must not move at all.
    #[serde(default)]
    pub counters: BTreeMap<String, Count>,
    /// Number of plain frames that must arrive, "good" and "torn" ones; 0 by default.
    #[serde(default)]
    pub frames: BTreeMap<String, Count>,
    /// A text of which there must be exactly one line in the kernel's log.
    pub log: Option<String>,
    /// Number of recoveries by remoteproc; for [`Verdict::Recovered`] only.
    #[serde(default = "one")]
    pub recoveries: Count,
    /// The kinds of notification suppression that the case is run with.
    #[serde(default)]
    pub flavours: Vec<Flavour>,
    /// Firmware to boot in place of the usual one.
    pub firmware: Option<FirmwareFile>,
    /// Whether Linux must refuse that firmware: with no interface, and with the line `log` only.
    #[serde(default)]
    pub refused: bool,
    /// A part of the reason for which the case must fail; for tests of the harness.
    pub fails: Option<String>,
    /// Whether to restart the modem afterwards, because the case leaves rings or memory changed.
    #[serde(default)]
    pub restart: bool,
    /// Texts of lines of the kernel's log that fail other cases but not this one.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Whether Linux uses the CAIF stack: as its file says.
    #[serde(default)]
    pub stack: bool,
    /// Growth of the guest's memory use in KiB that is allowed: before the sockets are closed and
    /// after that. For cases about the stack.
    #[serde(default = "memory")]
    pub memory: u64,
    /// Number of lines that the kernel's log may get. For cases about the stack.
    #[serde(default)]
    pub lines: u64,
}

fn memory() -> u64 {
    MEMORY
}

/// KiB that a case about the stack may use by default. KASAN's quarantine varies by 9000.
const MEMORY: u64 = 12_288;

fn one() -> Count {
    Count::Exactly(1)
}

/// A file of the catalogue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: String,
    /// Whether its cases are about the CAIF stack.
    #[serde(default)]
    stack: bool,
    #[serde(default = "event_idx")]
    flavours: Vec<Flavour>,
    case: Vec<toml::Table>,
}

fn event_idx() -> Vec<Flavour> {
    vec![Flavour::EventIdx]
}

/// Reads all `*.toml` of a folder, in the order of their names, and those in its folder `stack`.
pub fn load(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let mut files = files(folder)?;
    let stack = folder.join("stack");
    if stack.exists() {
        files.extend(self::files(&stack)?);
    }
    let mut cases = Vec::new();
    for path in &files {
        let text = std::fs::read_to_string(path)?;
        cases.extend(parse(&text).with_context(|| path.display().to_string())?);
    }
    let mut names = BTreeSet::new();
    for case in &cases {
        ensure!(names.insert(&case.name), "two cases are {:?}", case.name);
    }
    ensure!(!cases.is_empty(), "no case in {}", folder.display());
    Ok(cases)
}

/// Returns all `*.toml` of a folder, in the order of their names.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "toml"));
    files.sort();
    Ok(files)
}

/// Reads a file of the catalogue.
fn parse(text: &str) -> anyhow::Result<Vec<Case>> {
    let file: File = toml::from_str(text)?;
    let mut cases = Vec::new();
    for table in file.case {
        for table in vary(table)? {
            let name = table.get("name").map(ToString::to_string);
            let name = name.unwrap_or_else(|| "a case without a name".into());
            let mut case: Case = table.try_into().with_context(|| name.clone())?;
            case.group.clone_from(&file.group);
            case.stack = file.stack;
            if case.flavours.is_empty() {
                case.flavours.clone_from(&file.flavours);
            }
            check(&case).context(name)?;
            cases.push(case);
        }
    }
    Ok(cases)
}

fn check(case: &Case) -> anyhow::Result<()> {
    ensure!(
        matches!(case.expect, Verdict::Pass | Verdict::Recovered),
        "{} is nothing to expect",
        case.expect
    );
    ensure!(
        case.expect == Verdict::Pass || case.counters.is_empty(),
        "the counters begin anew with recovery"
    );
    ensure!(
        !case.refused || (case.firmware.is_some() && case.log.is_some()),
        "only firmware can be refused, with a line in the log"
    );
    for name in case.frames.keys() {
        ensure!(name == "good" || name == "torn", "no frames are {name:?}");
    }
    let expressions = case.steps.iter().flat_map(Step::expressions);
    for name in expressions.flat_map(Expr::names) {
        ensure!(crate::names::is_known(name), "no {name:?} is known");
    }
    Ok(())
}

/// Expands a table with `vary = { n = [1, 2] }` to one table for each value, with `{n}` replaced in
/// all texts.
fn vary(mut table: toml::Table) -> anyhow::Result<Vec<toml::Table>> {
    let Some(vary) = table.remove("vary") else {
        return Ok(vec![table]);
    };
    let Some((name, toml::Value::Array(values))) = vary
        .as_table()
        .filter(|vary| vary.len() == 1)
        .and_then(|vary| vary.iter().next())
    else {
        bail!("want vary = {{ name = [values] }}, not {vary}");
    };
    let place = format!("{{{name}}}");
    let varied = values.iter().map(|value| {
        let value = match value {
            toml::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut copy = toml::Value::Table(table.clone());
        replace(&mut copy, &place, &value);
        match copy {
            toml::Value::Table(copy) => Ok(copy),
            other => bail!("{other} is no table"),
        }
    });
    varied.collect()
}

fn replace(value: &mut toml::Value, place: &str, by: &str) {
    match value {
        toml::Value::String(text) => *text = text.replace(place, by),
        toml::Value::Array(values) => values.iter_mut().for_each(|v| replace(v, place, by)),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, v)| replace(v, place, by)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, parse};

    #[test]
    fn a_case_varies() {
        let cases = parse(
            r#"
            group = "heads"
            [[case]]
            name = "head_{n}"
            what = "head {n}"
            expect = "RECOVERED"
            vary = { n = [1, "num + 1"] }
            steps = [{ do = "avail", heads = ["{n}"] }]
            "#,
        )
        .unwrap();
        let names: Vec<_> = cases.iter().map(|case| &*case.name).collect();
        assert_eq!(names, ["head_1", "head_num + 1"]);
        assert_eq!(cases[1].group, "heads");
    }

    #[test]
    fn a_file_says_whether_its_cases_are_about_the_stack() {
        let text = r#"
            group = "g"
            stack = true
            [[case]]
            name = "n"
            what = "w"
            expect = "PASS"
            steps = [
              { do = "open", socket = "a", service = "at", answer = false },
              { do = "each", to = "len.a", steps = [{ do = "answer", to = "a", cut = "n" }] },
              { do = "state", socket = "a", is = "pending" },
            ]
            "#;
        let cases = parse(text).unwrap();
        assert!(cases[0].stack && cases[0].memory > 0 && cases[0].lines == 0);
        assert!(!parse(&text.replace("stack = true", "")).unwrap()[0].stack);
    }

    #[test]
    fn unknown_names_are_refused() {
        for (steps, why) in [
            (r#"{ do = "avail", heads = ["nmu"] }"#, "nmu"),
            (r#"{ do = "avial" }"#, "avial"),
            (r#"{ do = "ring", vektor = 1 }"#, "vektor"),
            (
                r#"{ do = "open", socket = "a", service = "at", sokket = 1 }"#,
                "sokket",
            ),
            (r#"{ do = "open", socket = "a", service = "fax" }"#, "fax"),
            (
                r#"{ do = "each", to = 1, steps = [{ do = "destroyed", id = "m" }] }"#,
                "m",
            ),
        ] {
            let text = format!(
                "group = 'g'\n[[case]]\nname = 'n'\nwhat = 'w'\nexpect = 'PASS'\nsteps = [{steps}]"
            );
            let error = format!("{:#}", parse(&text).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn counts() {
        for count in [Count::AtLeast(2), Count::Exactly(3)] {
            let text = serde_json::to_string(&count).unwrap();
            assert_eq!(serde_json::from_str::<Count>(&text).unwrap(), count);
        }
        assert!(Count::AtLeast(2).allows(3) && !Count::AtLeast(2).allows(1));
        assert!(Count::Exactly(2).allows(2) && !Count::Exactly(2).allows(3));
    }
}
