// SPDX-License-Identifier: GPL-2.0

//! Builds the kernel's own ring code, where it lies, for user space.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-env-changed=KERNEL_SOURCE");
    println!("cargo::rerun-if-changed=c");
    let Some(source) = env::var_os("KERNEL_SOURCE") else {
        panic!("KERNEL_SOURCE must be the source of Linux, see tests/interop/run");
    };
    let source = Path::new(&source);
    let ring = source.join("drivers/virtio/virtio_ring.c");
    assert!(ring.is_file(), "{} is not there", ring.display());
    cc::Build::new()
        .include("c")
        .include("c/stubs")
        .include(source.join("tools/virtio"))
        .include(source.join("tools/include"))
        .flag("-include")
        .flag(source.join("include/linux/kconfig.h"))
        // As in the kernel's own Makefile for these headers.
        .flags([
            "-fno-strict-overflow",
            "-fno-strict-aliasing",
            "-fno-common",
            "-pthread",
        ])
        .flag("-U_FORTIFY_SOURCE")
        .opt_level(2)
        // No warnings of the kernel's code.
        .warnings(false)
        .file(ring)
        .file(source.join("drivers/vhost/vringh.c"))
        .file("c/shim.c")
        .compile("interop");
}
