// SPDX-License-Identifier: GPL-2.0

//! The suites that catch mutants: what they read, and how they are built and run in a copy.

use std::{process::Command, time::Duration};

use super::workspace::Workspace;

/// A suite that the header of a patch may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    Host,
    Loom,
    Fuzz,
    Tools,
    Modeminit,
    Interop,
    Compilers,
    Kunit,
    Vm,
    Clients,
    Hostile,
    Soak,
}

impl Suite {
    pub const ALL: [Self; 12] = [
        Self::Host,
        Self::Loom,
        Self::Fuzz,
        Self::Tools,
        Self::Modeminit,
        Self::Interop,
        Self::Compilers,
        Self::Kunit,
        Self::Vm,
        Self::Clients,
        Self::Hostile,
        Self::Soak,
    ];
    /// The suites that run if none that a header names has caught the mutant.
    pub const QUICK: [Self; 3] = [Self::Host, Self::Loom, Self::Kunit];

    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Loom => "loom",
            Self::Fuzz => "fuzz",
            Self::Tools => "tools",
            Self::Modeminit => "modeminit",
            Self::Interop => "interop",
            Self::Compilers => "compilers",
            Self::Kunit => "kunit",
            Self::Vm => "vm",
            Self::Clients => "clients",
            Self::Hostile => "hostile",
            Self::Soak => "soak",
        }
    }

    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    /// Returns the form of the words that make it quick.
    pub fn filter(self) -> &'static str {
        match self {
            Self::Host | Self::Loom | Self::Tools | Self::Modeminit | Self::Interop => {
                "[TEST-FILE] [PART-OF-A-NAME]"
            }
            Self::Fuzz => "[TARGET]",
            Self::Kunit => "[SUITE[.CASE]]",
            Self::Compilers | Self::Vm | Self::Clients => "[CASE...]",
            Self::Hostile => "[GLOB...]",
            Self::Soak => "[PHASE...]",
        }
    }

    /// Returns the folders that only some suites read, and that this one does: a mutant is tried again
    /// after a change there. After which changes all of a part of the tests is run again is in
    /// `suite/parts.rs`, which has other parts, and files outside of these folders, too.
    pub fn reads(self) -> &'static [&'static str] {
        match self {
            Self::Host => &["tests/host", "modem"],
            Self::Loom => &["tests/loom", "tests/host", "modem"],
            Self::Fuzz => &["tests/fuzz", "tests/host", "modem"],
            Self::Tools => &["tools", "modem"],
            Self::Modeminit => &["tools"],
            Self::Interop => &["tests/interop", "tests/host", "modem"],
            Self::Compilers => &["tests/compilers", "tests/kunit", "modem/ring"],
            Self::Kunit => &[
                "tests/kunit",
                "tests/harness",
                "modem/kernel-pure",
                "modem/ring",
            ],
            Self::Vm => &[
                "tests/vm",
                "tests/harness",
                "tests/hostile",
                "modem",
                "tools",
            ],
            Self::Clients => &[
                "tests/clients",
                "tests/vm",
                "tests/harness",
                "tests/hostile",
                "modem",
                "tools",
            ],
            Self::Hostile => &["tests/hostile", "tests/harness", "tests/vm", "modem"],
            Self::Soak => &["tests/soak", "tests/harness", "tests/vm", "modem"],
        }
    }

    /// Whether it boots machines, whose kernel takes modules from the copy.
    pub fn boots(self) -> bool {
        use Suite::{Clients, Hostile, Kunit, Soak, Vm};
        matches!(self, Kunit | Vm | Clients | Hostile | Soak)
    }

    /// Whether all of it takes so long that it does not follow a filter that caught nothing, and that
    /// only the parts of it that are named are tried without a fault.
    pub fn is_long(self) -> bool {
        matches!(self, Self::Vm | Self::Clients | Self::Hostile | Self::Soak)
    }

    /// Returns its crate, if cargo runs it.
    fn package(self) -> Option<&'static str> {
        match self {
            Self::Host => Some("vring-host-tests"),
            Self::Loom => Some("vring-loom"),
            Self::Fuzz => Some("caif-fuzz"),
            Self::Tools => Some("caifctl"),
            Self::Modeminit => Some("caif-modeminit"),
            Self::Interop => Some("vring-interop"),
            _ => None,
        }
    }

    /// Whether KERNEL_SOURCE must name the kernel's source.
    pub fn needs_source(self) -> bool {
        self == Self::Interop
    }

    /// Returns the command that fails if the mutant does not compile.
    pub fn build(self, workspace: &Workspace, filter: &[String]) -> Option<Command> {
        if self.package().is_some() {
            return Some(self.cargo(workspace, filter, true));
        }
        // A failing build is how the compilers catch mutants.
        self.boots().then(|| {
            let mut modules = workspace.script("scripts/modules");
            modules.args(["--kernel", &workspace.kernel]);
            modules
        })
    }

    /// Returns the command that runs it, or the cases of the filter, and how long it may take.
    pub fn run(self, workspace: &Workspace, filter: &[String]) -> (Command, Option<Duration>) {
        const LIMIT_OF_A_CRATE: Duration = Duration::from_secs(300);
        if self.package().is_some() {
            return (self.cargo(workspace, filter, false), Some(LIMIT_OF_A_CRATE));
        }
        // The scripts limit the time of their machines.
        let mut command = workspace.script(&format!("tests/{}/run", self.name()));
        if !matches!(self, Self::Compilers | Self::Clients) {
            command.args(["--kernel", &workspace.kernel]);
        }
        let each = |command: &mut Command, option: &str| {
            filter.iter().for_each(|word| {
                command.args([option, word.as_str()]);
            });
        };
        match self {
            Self::Kunit => {
                // A case alone takes a quarter of a minute.
                let seconds = if filter.is_empty() { "600" } else { "150" };
                command.args(["--timeout", seconds]).args(filter);
            }
            Self::Hostile => {
                // No check for leaks.
                command.env("CAIF_TEST_APPEND", "kmemleak=off");
                command.args(["--no-leaks", "--one-flavour"]);
                each(&mut command, "--case");
            }
            Self::Soak => {
                command.arg("--short");
                each(&mut command, "--phase");
            }
            _ => drop(command.args(filter)),
        }
        (command, None)
    }

    fn cargo(self, workspace: &Workspace, filter: &[String], only_build: bool) -> Command {
        // The tests of fuzz are in one file, and the filter names the target.
        let corpus = (self == Self::Fuzz).then(|| "corpus".to_owned());
        let mut words = corpus.iter().chain(filter);
        let mut command = workspace.command("cargo");
        command.args(["test", "--locked", "--no-fail-fast", "--color", "never"]);
        command
            .arg("--manifest-path")
            .arg(workspace.tree.join("Cargo.toml"));
        command.args(["--package", self.package().unwrap_or_default()]);
        command.args(["--profile", "release"]);
        match words.next() {
            Some(file) => command.args(["--test", file]),
            None => command.arg("--tests"),
        };
        match only_build {
            true => command.arg("--no-run"),
            false => command.arg("--").args(words),
        };
        command
    }
}

/// Returns a part of the help: the suites with their filters.
pub fn help() -> String {
    let names = Suite::ALL.map(Suite::name).join(" ");
    let mut forms: Vec<(Vec<&str>, &str)> = Vec::new();
    for suite in Suite::ALL {
        match forms.iter_mut().find(|(_, form)| *form == suite.filter()) {
            Some((names, _)) => names.push(suite.name()),
            None => forms.push((vec![suite.name()], suite.filter())),
        }
    }
    let mut text = format!("where NAME is one of: {names}\nand FILTER makes it quick:\n");
    for (names, form) in forms {
        text += &format!("  {:39}  {form}\n", names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Suite, Workspace};

    fn workspace() -> Workspace {
        Workspace {
            tree: "/tree".into(),
            cache: "/cache".into(),
            kernel: "san".into(),
        }
    }

    fn line(command: &std::process::Command) -> String {
        let words = [command.get_program()]
            .into_iter()
            .chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    fn words(filter: &str) -> Vec<String> {
        filter.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn filters_are_given_as_each_suite_wants_them() {
        let cargo = "cargo test --locked --no-fail-fast --color never --manifest-path /tree/Cargo.toml --package";
        let run = |suite: Suite, filter| {
            line(&suite.run(&workspace(), &words(filter)).0).replace(cargo, "CARGO")
        };
        let host = "CARGO vring-host-tests --profile release --tests --";
        let loom = "CARGO vring-loom --profile release --test barriers -- flags";
        let fuzz = "CARGO caif-fuzz --profile release --test corpus -- rfm";
        let kunit = "/tree/tests/kunit/run --kernel san --timeout";
        let hostile =
            "/tree/tests/hostile/run --kernel san --no-leaks --one-flavour --case a* --case b";
        let soak = "/tree/tests/soak/run --kernel san --short --phase rmmod";
        assert_eq!(run(Suite::Host, ""), host);
        assert_eq!(run(Suite::Loom, "barriers flags"), loom);
        assert_eq!(run(Suite::Fuzz, "rfm"), fuzz);
        assert_eq!(
            run(Suite::Compilers, "arm"),
            "/tree/tests/compilers/run arm"
        );
        assert_eq!(run(Suite::Kunit, ""), format!("{kunit} 600"));
        assert_eq!(
            run(Suite::Kunit, "caif_a.b"),
            format!("{kunit} 150 caif_a.b")
        );
        assert_eq!(run(Suite::Vm, "a b"), "/tree/tests/vm/run --kernel san a b");
        assert_eq!(run(Suite::Clients, "a"), "/tree/tests/clients/run a");
        assert_eq!(run(Suite::Hostile, "a* b"), hostile);
        assert_eq!(run(Suite::Soak, "rmmod"), soak);
    }

    #[test]
    fn a_mutant_is_built_in_the_copy_and_with_the_cache_of_the_lane() {
        let build = |suite: Suite| suite.build(&workspace(), &[]).map(|command| line(&command));
        assert_eq!(
            build(Suite::Vm).as_deref(),
            Some("/tree/scripts/modules --kernel san")
        );
        assert_eq!(build(Suite::Compilers), None);
        assert!(build(Suite::Host).is_some_and(|line| line.ends_with(" --tests --no-run")));
        let command = Suite::Host.run(&workspace(), &[]).0;
        let env = |name: &str| {
            let mut all = command.get_envs();
            all.find(|(key, _)| *key == name)
                .and_then(|(_, value)| value?.to_str())
        };
        assert_eq!(env("CAIF_CACHE"), Some("/cache"));
        assert_eq!(env("CARGO_TARGET_DIR"), Some("/cache/target"));
        assert_eq!(env("CAIF_CHECKOUT"), Some("/tree"));
        assert_eq!(command.get_current_dir(), Some("/tree".as_ref()));
    }
}
