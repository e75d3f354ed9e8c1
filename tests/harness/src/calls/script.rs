// SPDX-License-Identifier: GPL-2.0

//! The calls, and the differences between the stacks.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::folder;

/// The difference of all calls: each frame has a check sequence.
pub(super) const CHECKS: &str = "check-sequence";

/// A call.
#[derive(Debug, Default)]
pub struct Call {
    /// Its line in the script.
    pub line: String,
    /// Its subject, after which channels are named.
    pub subject: String,
    pub section: String,
    /// Its frames count as those of the call before.
    pub is_one_with_last: bool,
    /// The differences between the stacks.
    pub result: Option<Results>,
    pub frames: Vec<FrameOfOne>,
}

/// The two results of a call.
#[derive(Debug)]
pub struct Results {
    pub name: String,
    pub c: String,
    pub ours: String,
}

/// A frame that only one stack puts on the link.
#[derive(Debug)]
pub struct FrameOfOne {
    pub name: String,
    pub is_ours: bool,
    pub frame: String,
}

/// A difference between the stacks, and its reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Its subject, for the documentation.
    pub what: String,
    /// The behaviour of this stack.
    pub here: String,
    /// The behaviour of the stack in C.
    pub c: String,
    /// The reason.
    pub why: String,
}

#[derive(Debug)]
pub struct Script {
    pub calls: Vec<Call>,
    pub differences: BTreeMap<String, Difference>,
}

impl Script {
    /// Reads script and differences.
    pub fn read() -> Result<Self> {
        let read = |name| fs::read_to_string(folder().join(name)).context(name);
        Self::parse(&read("script")?, &read("differences.toml")?)
    }

    pub(super) fn parse(script: &str, differences: &str) -> Result<Self> {
        let differences: BTreeMap<String, Difference> =
            toml::from_str(differences).context("differences.toml")?;
        let mut calls: Vec<Call> = Vec::new();
        let mut section = String::new();
        for line in script.lines().map(str::trim) {
            if let Some(title) = line.strip_prefix("== ") {
                title.clone_into(&mut section);
            } else if let Some(difference) = line.strip_prefix('~') {
                let call = calls.last_mut().context("a difference of no call")?;
                call.differs(difference).with_context(|| line.to_owned())?;
            } else if !line.is_empty() && !line.starts_with('#') {
                let bare = line.trim_start_matches(['+', '&', ' ']);
                let subject = bare.split(' ').next().unwrap_or_default();
                calls.push(Call {
                    line: line.to_owned(),
                    subject: subject.to_owned(),
                    section: section.clone(),
                    is_one_with_last: line.starts_with('+'),
                    ..Call::default()
                });
            }
        }
        Ok(Self { calls, differences })
    }

    /// Checks that the differences of the calls have names, and that all of those are used.
    pub fn check(&self) -> Result<()> {
        let used: Vec<_> = self.calls.iter().flat_map(Call::names).collect();
        for name in self.differences.keys() {
            ensure!(
                name == CHECKS || used.contains(&name.as_str()),
                "no call has {name}"
            );
        }
        for name in used {
            ensure!(self.differences.contains_key(name), "what is {name}?");
        }
        Ok(())
    }
}

impl Call {
    /// Returns the names of its differences.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let result = self.result.iter().map(|result| result.name.as_str());
        result.chain(self.frames.iter().map(|frame| frame.name.as_str()))
    }

    fn differs(&mut self, text: &str) -> Result<()> {
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().map(str::to_owned).context("too short");
        let (name, sign, rest) = (word()?, word()?, word()?);
        match sign.as_str() {
            "=" => {
                let (c, ours) = rest.split_once(" | ").context("one result only")?;
                ensure!(c != ours, "they are the same");
                ensure!(self.result.is_none(), "two results");
                self.result = Some(Results {
                    name,
                    c: c.to_owned(),
                    ours: ours.to_owned(),
                });
            }
            "+" | "-" => self.frames.push(FrameOfOne {
                name,
                is_ours: sign == "+",
                frame: rest,
            }),
            other => bail!("{other} is neither = nor + nor -"),
        }
        Ok(())
    }
}
