# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Puts the tools that scripts/toolchain installed on PATH, and tells rustc's
# own library source to the kernel's build. Sourced, after lib.sh.

PATH=$CACHE/bindgen/bin:$PATH
# Debian's rust-src where rustup's component of the same version is not there.
if [ -z "${RUST_LIB_SRC:-}" ] && [ ! -d "$(rustc --print sysroot)/lib/rustlib/src/rust/library" ]; then
	RUST_LIB_SRC=$(find "$CACHE/debs/rust-src/usr/src" -maxdepth 2 -name library 2>/dev/null | head -n 1)
	export RUST_LIB_SRC
fi
# One place for the build output of every cargo workspace, outside the checkout.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PATH
