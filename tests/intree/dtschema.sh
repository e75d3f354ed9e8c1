# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Installs dtschema of the Python package index in the cache. Sourced, after lib.sh; sets tools, its
# folder, and DTSCHEMA_PIN. Holds the lock of the device trees.

DTSCHEMA_PIN=2026.9
lock_cache devicetree
tools=$CACHE/dtschema
if [ ! -e "$tools/.done" ] || [ "$(cat "$tools/.done")" != "$DTSCHEMA_PIN" ]; then
	rm -rf "$tools"
	step "making a place for dtschema" dtschema-venv python3 -m venv "$tools"
	step "installing dtschema $DTSCHEMA_PIN" dtschema "$tools/bin/pip" install "dtschema==$DTSCHEMA_PIN"
	echo "$DTSCHEMA_PIN" >"$tools/.done"
fi
