// SPDX-License-Identifier: GPL-2.0

//! The patches that make mutants, with the headers that say what should catch them.

use std::{collections::BTreeSet, fmt, path::Path};

use anyhow::{Context, Result, bail, ensure};
use glob::Pattern;

use super::suites::Suite;

/// A suite that a header names, with the words that make it quick.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spec {
    pub suite: Suite,
    pub filter: Vec<String>,
}

impl Spec {
    pub fn whole(suite: Suite) -> Self {
        Self {
            suite,
            filter: Vec::new(),
        }
    }

    /// Whether all of another has passed where this one has. The words of a long suite name a case each.
    pub fn covers(&self, other: &Self) -> bool {
        let each = || other.filter.iter().all(|word| self.filter.contains(word));
        let has_it = self.suite.is_long() && !other.filter.is_empty() && each();
        self.suite == other.suite && (self.filter.is_empty() || self == other || has_it)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let Some(suite) = Suite::of(name) else {
            let all = Suite::ALL.map(Suite::name).join(" ");
            bail!("no suite '{name}', there are: {all}");
        };
        let filter = words.map(str::to_owned).collect();
        Ok(Self { suite, filter })
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.suite.name())?;
        self.filter.iter().try_for_each(|word| write!(f, " {word}"))
    }
}

/// A patch that puts a fault into the sources.
#[derive(Debug)]
pub struct Mutant {
    pub name: String,
    pub fault: String,
    /// What should catch it, in the order of the header.
    pub specs: Vec<Spec>,
    /// The whole file.
    pub patch: Vec<u8>,
}

impl Mutant {
    /// Reads a patch. The header ends where the patch itself begins.
    pub fn parse(name: &str, patch: Vec<u8>) -> Result<Self> {
        let text = String::from_utf8_lossy(&patch);
        let header: Vec<_> = text
            .lines()
            .take_while(|l| !l.starts_with("--- "))
            .collect();
        let fields = |key| header.iter().filter_map(move |line| line.strip_prefix(key));
        let fault = fields("Fault: ").next().unwrap_or_default().to_owned();
        let specs = fields("Suite: ")
            .map(Spec::parse)
            .collect::<Result<Vec<_>>>()?;
        ensure!(!specs.is_empty(), "it names no suite");
        Ok(Self {
            name: name.to_owned(),
            fault,
            specs,
            patch,
        })
    }

    /// Whether a machine boots for it.
    pub fn boots(&self) -> bool {
        self.specs.iter().any(|spec| spec.suite.boots())
    }

    /// Returns the suites that follow if what the header names catches nothing: the whole of those
    /// of which it names a part, and the other quick ones.
    pub fn rest(&self) -> Vec<Suite> {
        let mut rest = Vec::new();
        let parts = self.specs.iter().filter(|spec| !spec.filter.is_empty());
        for suite in parts.map(|spec| spec.suite).filter(|s| !s.is_long()) {
            if !self.specs.contains(&Spec::whole(suite)) && !rest.contains(&suite) {
                rest.push(suite);
            }
        }
        for suite in Suite::QUICK {
            if !self.specs.iter().any(|spec| spec.suite == suite) {
                rest.push(suite);
            }
        }
        rest
    }

    /// Returns a line for the list of mutants.
    pub fn line(&self) -> String {
        let suites: Vec<_> = self.specs.iter().map(|spec| spec.suite.name()).collect();
        format!("{:28} {:8} {}", self.name, suites.join(" "), self.fault)
    }
}

/// Why mutants cannot be selected.
#[derive(Debug)]
pub enum Refused {
    /// None has a name like this.
    Unknown(String),
    /// A patch cannot be read, or there are none.
    Bad(anyhow::Error),
}

/// Returns the mutants of a folder whose names match one of the globs, in the order of their names;
/// all of them if there is no glob.
pub fn select(folder: &Path, globs: &[String]) -> Result<Vec<Mutant>, Refused> {
    let names = names(folder).map_err(Refused::Bad)?;
    let mut wanted = BTreeSet::new();
    for glob in globs {
        let unknown = || Refused::Unknown(glob.clone());
        let pattern = Pattern::new(glob).map_err(|_| unknown())?;
        let found: Vec<_> = names.iter().filter(|name| pattern.matches(name)).collect();
        if found.is_empty() {
            return Err(unknown());
        }
        wanted.extend(found);
    }
    let chosen = names
        .iter()
        .filter(|name| globs.is_empty() || wanted.contains(name));
    let mutants = chosen.map(|name| {
        let path = folder.join(format!("{name}.patch"));
        let read = || Mutant::parse(name, std::fs::read(&path)?);
        read().with_context(|| path.display().to_string())
    });
    mutants.collect::<Result<_>>().map_err(Refused::Bad)
}

/// Returns the names of the patches of a folder.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".patch"));
        names.extend(name.map(str::to_owned));
    }
    ensure!(
        !names.is_empty(),
        "there are no mutants in {}",
        folder.display()
    );
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::{Mutant, Refused, Spec, select};

    const PATCH: &str = "Fault: a = b.\nSeen as: none.\nSuite: kunit caif_a.b\nSuite:  vm  one two\n\n\
        --- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\nSuite: host\nFault: of the text.\n";

    fn mutant(suites: &[&str]) -> Mutant {
        let header: String = suites
            .iter()
            .map(|suite| format!("Suite: {suite}\n"))
            .collect();
        Mutant::parse("name", header.into()).unwrap()
    }

    fn rest(suites: &[&str]) -> Vec<&'static str> {
        mutant(suites)
            .rest()
            .iter()
            .map(|suite| suite.name())
            .collect()
    }

    #[test]
    fn the_header_ends_where_the_patch_begins() {
        let mutant = Mutant::parse("name", PATCH.into()).unwrap();
        assert_eq!(mutant.fault, "a = b.");
        let specs: Vec<_> = mutant.specs.iter().map(ToString::to_string).collect();
        assert_eq!(specs, ["kunit caif_a.b", "vm one two"]);
        assert_eq!(mutant.patch, PATCH.as_bytes());
        assert_eq!(mutant.line(), format!("{:28} kunit vm a = b.", "name"));
    }

    #[test]
    fn a_header_names_suites_that_there_are() {
        let refused = |text: &str| Mutant::parse("name", text.into()).unwrap_err().to_string();
        assert_eq!(
            refused("Fault: x\n--- a/x\nSuite: host\n"),
            "it names no suite"
        );
        let said = refused("Suite: hosts a\n");
        assert!(
            said.starts_with("no suite 'hosts', there are: host loom "),
            "{said}"
        );
        assert!(refused("Suite: \n").starts_with("no suite ''"));
    }

    #[test]
    fn all_of_a_suite_follows_its_part_unless_it_is_long() {
        assert_eq!(rest(&["kunit caif_a"]), ["kunit", "host", "loom"]);
        assert_eq!(rest(&["kunit"]), ["host", "loom"]);
        assert_eq!(rest(&["vm a", "hostile b"]), ["host", "loom", "kunit"]);
        assert_eq!(
            rest(&["modeminit a", "loom b c", "loom d"]),
            ["modeminit", "loom", "host", "kunit"]
        );
        assert_eq!(rest(&["host a", "host", "tools"]), ["loom", "kunit"]);
    }

    #[test]
    fn what_has_passed_covers_its_parts() {
        let covers = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|text| Spec::parse(text).unwrap());
            one.covers(&other)
        };
        assert!(covers("kunit", "kunit caif_a"));
        assert!(covers("kunit caif_a", "kunit caif_a"));
        assert!(!covers("kunit caif_a", "kunit"));
        assert!(!covers("kunit", "host"));
        assert!(covers("vm a b c", "vm c a"));
        assert!(!covers("vm a b", "vm a c"));
        assert!(!covers("vm a b", "vm"));
        assert!(!covers("host a b", "host b"));
    }

    #[test]
    fn those_that_boot_are_known() {
        assert!(mutant(&["host", "soak a"]).boots());
        assert!(!mutant(&["host", "compilers arm"]).boots());
    }

    #[test]
    fn mutants_are_selected_by_globs_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b-2", "b-1", "a", "c"] {
            std::fs::write(dir.path().join(format!("{name}.patch")), PATCH).unwrap();
        }
        std::fs::write(dir.path().join("run"), "").unwrap();
        let names = |globs: &[&str]| {
            let globs: Vec<_> = globs.iter().map(|&glob| glob.to_owned()).collect();
            let mutants = select(dir.path(), &globs)?;
            Ok(mutants
                .into_iter()
                .map(|mutant| mutant.name)
                .collect::<Vec<_>>())
        };
        let chosen = |globs| names(globs).unwrap_or_else(|refused: Refused| panic!("{refused:?}"));
        assert_eq!(chosen(&[]), ["a", "b-1", "b-2", "c"]);
        assert_eq!(chosen(&["c", "b-*", "b-1"]), ["b-1", "b-2", "c"]);
        assert_eq!(chosen(&["[!ab]*"]), ["c"]);
        for unknown in ["d", "run", "", "["] {
            let refused = names(&["a", unknown]).unwrap_err();
            assert!(
                matches!(refused, Refused::Unknown(name) if name == unknown),
                "{unknown}"
            );
        }
        std::fs::write(dir.path().join("d.patch"), "--- a/x\n").unwrap();
        assert!(matches!(names(&["d"]), Err(Refused::Bad(_))));
        assert!(matches!(
            select(&dir.path().join("none"), &[]),
            Err(Refused::Bad(_))
        ));
    }
}
