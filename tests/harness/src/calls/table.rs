// SPDX-License-Identifier: GPL-2.0

//! The table of differences in the documentation.

use std::fmt::Write;

use anyhow::Result;

use super::{Call, Script};

/// Returns the table: subject, both behaviours, reason, and number of calls.
pub(super) fn of(script: &Script) -> Result<String> {
    let mut text = String::from("| | here | in C | why | calls |\n|---|---|---|---|---|\n");
    for (name, difference) in &script.differences {
        let has = |call: &&Call| call.names().any(|other| other == name);
        let count = match script.calls.iter().filter(has).count() {
            0 => "all".to_owned(),
            count => count.to_string(),
        };
        writeln!(
            text,
            "| {} | {} | {} | {} | {count} |",
            difference.what, difference.here, difference.c, difference.why
        )?;
    }
    Ok(text)
}
