// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Dialogues of clients, from files in `transcripts/`.
//!
//! A line `NAME> TEXT` is what a terminal sends, and `NAME< TEXT` a line that it gets; names are
//! words. All lines that a terminal gets must be there, in order. `~ MS` lets time pass; `#`
//! begins a comment. A terminal is opened at its first line, with echo off.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use at_model::Network;
use common::{Bench, lines};

fn run(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let mut bench = Bench::new(Network::default());
    let mut terminals: BTreeMap<String, (u8, Vec<String>)> = BTreeMap::new();
    let steps = text.lines().enumerate();
    for (number, step) in steps.chain([(usize::MAX, "~ 0")]) {
        let at = || format!("{}:{}: {step}", path.display(), number.wrapping_add(1));
        if step.is_empty() || step.starts_with('#') {
            continue;
        }
        if let Some(ms) = step.strip_prefix("~ ") {
            bench.wait(ms.parse().unwrap());
            for (name, (id, heard)) in &mut terminals {
                heard.extend(lines(&bench.heard(*id)));
                let is_end = number == usize::MAX;
                assert!(!is_end || heard.is_empty(), "{name} got {heard:?} as well");
            }
            continue;
        }
        let mark = step.find(['<', '>']).unwrap_or_else(|| panic!("{}", at()));
        let (name, text) = step.split_at(mark);
        let id = u8::try_from(terminals.len()).unwrap();
        let (id, heard) = terminals.entry(name.to_owned()).or_insert_with(|| {
            bench.open(&[id]);
            (id, Vec::new())
        });
        heard.extend(lines(&bench.heard(*id)));
        let text = text[1..].strip_prefix(' ').unwrap_or(&text[1..]);
        if step[mark..].starts_with('>') {
            assert!(heard.is_empty(), "{}: {heard:?} came before", at());
            *heard = bench.ask(*id, text);
        } else {
            assert!(!heard.is_empty(), "{}: there is no such line", at());
            assert_eq!(heard.remove(0), text, "{}", at());
        }
    }
}

#[test]
fn dialogues() {
    // When it runs: a checkout may use what another one has compiled.
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let folder = Path::new(&crate_folder).join("tests/transcripts");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        run(&entry.unwrap().path());
        count += 1;
    }
    assert!(count >= 4, "{count} dialogues");
}
