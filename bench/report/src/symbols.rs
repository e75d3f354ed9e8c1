// SPDX-License-Identifier: GPL-2.0

//! Finds the function of an instruction, by its address.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context, Result, bail};

/// A function of the kernel or of a module.
#[derive(Clone)]
struct Function {
    start: u64,
    name: String,
    /// The module that it is of.
    module: Option<String>,
}

/// The functions, by address: those of the kernel, and those of each module when it was loaded
/// last.
pub struct Symbols {
    kernel: Vec<Function>,
    modules: HashMap<String, Vec<Function>>,
}

impl Symbols {
    /// Reads `System.map`, and parses lines of `/proc/kallsyms`.
    pub fn read(system_map: &Path, kallsyms: &str) -> Result<Self> {
        let map = fs::read_to_string(system_map)
            .with_context(|| format!("cannot read {}", system_map.display()))?;
        Self::parse(&map, kallsyms)
    }

    /// Parses `System.map` and lines of `/proc/kallsyms`.
    pub fn parse(system_map: &str, kallsyms: &str) -> Result<Self> {
        let mut kernel = Vec::new();
        for line in system_map.lines() {
            kernel.extend(function(line)?);
        }
        let mut modules: HashMap<_, Vec<_>> = HashMap::new();
        for line in kallsyms.lines() {
            if let Some(function) = function(line)?
                && let Some(module) = &function.module
            {
                modules.entry(module.clone()).or_default().push(function);
            }
        }
        kernel.sort_by_key(|function| function.start);
        for functions in modules.values_mut() {
            functions.sort_by_key(|function| function.start);
        }
        if kernel.is_empty() || modules.is_empty() {
            bail!("no functions");
        }
        Ok(Self { kernel, modules })
    }

    /// Returns the functions that were loaded together with `driver`, one of `drivers`.
    pub fn with(&self, driver: &str, drivers: &[&str]) -> View<'_> {
        let mut functions: Vec<&Function> = self.kernel.iter().collect();
        for (module, of_module) in &self.modules {
            if module == driver || !drivers.contains(&module.as_str()) {
                functions.extend(of_module);
            }
        }
        functions.sort_by_key(|function| function.start);
        View(functions)
    }
}

/// Returns whether a line is one of `/proc/kallsyms`, of a function.
pub fn is_function(line: &str) -> bool {
    matches!(function(line), Ok(Some(_)))
}

/// Parses a line of either file. Returns `None` if what it tells of is no function.
fn function(line: &str) -> Result<Option<Function>> {
    let mut words = line.split_whitespace();
    let (Some(start), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
        bail!("not a symbol: {line}");
    };
    if !matches!(kind, "t" | "T" | "w" | "W") {
        return Ok(None);
    }
    let start = u64::from_str_radix(start, 16).with_context(|| format!("not a symbol: {line}"))?;
    let module = words
        .next()
        .map(|word| word.trim_matches(['[', ']']).to_owned());
    Ok(Some(Function {
        start,
        name: name.to_owned(),
        module,
    }))
}

/// The functions that were loaded at one time.
pub struct View<'a>(Vec<&'a Function>);

impl<'a> View<'a> {
    /// Returns the name of the function that has an address, and whether it begins there.
    pub fn find(&self, address: u64) -> Option<(&'a str, bool)> {
        let function = self.function(address)?;
        Some((&function.name, function.start == address))
    }

    /// Returns the name of the function that has an address, and that of its module, if it has one.
    pub fn find_module(&self, address: u64) -> Option<(&'a str, Option<&'a str>)> {
        let function = self.function(address)?;
        Some((&function.name, function.module.as_deref()))
    }

    fn function(&self, address: u64) -> Option<&'a Function> {
        let after = self.0.partition_point(|function| function.start <= address);
        self.0.get(after.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str =
        "ffffffff81000000 T _stext\nffffffff81000100 t kfree\nffffffff82000000 D data\n";
    const MODULES: &str = "ffffffffa0000000 t poll\t[one]\nffffffffa0000000 t cfv_poll\t[other]\n";

    #[test]
    fn address_inside_a_function() {
        let symbols = Symbols::parse(MAP, MODULES).unwrap();
        let view = symbols.with("one", &["one", "other"]);
        assert_eq!(view.find(0xffff_ffff_8100_0104), Some(("kfree", false)));
        assert_eq!(view.find(0xffff_ffff_8100_0100), Some(("kfree", true)));
        assert_eq!(view.find(0x1000), None);
        let module = |address| view.find_module(address);
        assert_eq!(module(0xffff_ffff_8100_0104), Some(("kfree", None)));
        assert_eq!(module(0xffff_ffff_a000_0000), Some(("poll", Some("one"))));
    }

    #[test]
    fn lines_among_others() {
        assert!(is_function("ffffffffa0000000 t poll\t[one]"));
        for line in ["", "symbols rust", "ffffffffa0000000 d data\t[one]", "a t"] {
            assert!(!is_function(line), "{line}");
        }
    }

    #[test]
    fn module_that_was_loaded_at_the_time() {
        let symbols = Symbols::parse(MAP, MODULES).unwrap();
        let name = |driver| {
            let view = symbols.with(driver, &["one", "other"]);
            view.find(0xffff_ffff_a000_0010).map(|(name, _)| name)
        };
        assert_eq!(name("one"), Some("poll"));
        assert_eq!(name("other"), Some("cfv_poll"));
    }

    #[test]
    fn lines_that_are_no_symbols() {
        assert!(Symbols::parse("nonsense\n", MODULES).is_err());
        assert!(Symbols::parse("", MODULES).is_err());
        assert!(Symbols::parse(MAP, "").is_err());
    }
}
