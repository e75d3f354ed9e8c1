// SPDX-License-Identifier: GPL-2.0

//! Replays the committed inputs, or the one that `CAIF_FUZZ_INPUT` names.

use std::fs;
use std::path::{Path, PathBuf};

use caif_fuzz::TARGETS;

fn replay(name: &str) {
    let (_, target) = TARGETS
        .iter()
        .find(|(target, _)| *target == name)
        .unwrap_or_else(|| panic!("no target {name}"));
    for file in inputs(name) {
        let input = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // The last line of a failed replay names the input.
        println!("{name}: {}", file.display());
        target(&input);
    }
}

/// Returns the folder of this checkout, which may use what another one has compiled.
fn corpus() -> PathBuf {
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this");
    Path::new(&crate_folder).join("corpus")
}

fn inputs(name: &str) -> Vec<PathBuf> {
    if let Some(file) = std::env::var_os("CAIF_FUZZ_INPUT") {
        return vec![file.into()];
    }
    let folder = corpus().join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.sort();
    files
}

#[test]
fn at_model() {
    replay("at_model");
}

#[test]
fn caif_wire() {
    replay("caif_wire");
}

#[test]
fn resource_table() {
    replay("resource_table");
}

#[test]
fn stack_control() {
    replay("stack_control");
}

#[test]
fn stack_rfm() {
    replay("stack_rfm");
}

#[test]
fn vring_driver() {
    replay("vring_driver");
}

#[test]
fn vring_layout() {
    replay("vring_layout");
}

#[test]
fn vring_reversed() {
    replay("vring_reversed");
}

#[test]
fn each_target_is_replayed() {
    let folder = corpus();
    let mut folders: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("the folder can be read").file_name())
        .collect();
    folders.sort();
    assert_eq!(folders, TARGETS.map(|(name, _)| name));
}
