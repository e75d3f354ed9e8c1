// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Makes cargo build the crate anew for another checkout that shares the build folder.
//!
//! Its files lie outside of its folder, so that cargo knows them by their absolute paths: it would
//! look whether those of the checkout changed that built it last, and take its own for unchanged.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CAIF_CHECKOUT");
}
