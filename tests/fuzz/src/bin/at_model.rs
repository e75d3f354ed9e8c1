// SPDX-License-Identifier: GPL-2.0

//! The fuzz target `at_model` as a program of libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    caif_fuzz::at::fuzz(input);
});
