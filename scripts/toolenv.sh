# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Puts the tools that scripts/toolchain installed on PATH, and tells rustc's
# own library source to the kernel's build. Sourced, after lib.sh.

PATH=$CACHE/bindgen/bin:$PATH
# Debian's rust-src where rustup's component of the same version is not there.
if ! has_rust_src; then
	for library in "$CACHE"/debs/rust-src/usr/src/*/library; do
		if [ -d "$library" ]; then export RUST_LIB_SRC=$library; fi
	done
	unset library
fi
# One place for the build output of every cargo workspace, outside the checkout.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PATH
