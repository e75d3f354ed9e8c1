# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Builds the parts of a test machine with modems. Sourced, after lib.sh and
# toolenv.sh, with $kernel set, and with $with_c_stack set if the stack in C is to be there, too, or
# $with_clients if Debian's clients are; sets programs, and exports what they look for.
# shellcheck disable=SC2034,SC2154 # set for, and by, the script that sources this

programs=$("$TOP/scripts/programs" | tail -n 1)
modules=$("$TOP/scripts/modules" --kernel "$kernel" | tail -n 1)
board=${CAIF_MACHINE:-ivshmem}-rproc
# Parts that run at the same time have machines with that stack, and without.
cstack_args=() image=$kernel
if [ -n "${with_c_stack:-}" ]; then
	cstack=$("$TOP/scripts/caif-stack" "$kernel" | tail -n 1)
	cstack_args=(--c-stack "$cstack") image+=-c-stack
fi
tree_args=()
if [ -n "${with_clients:-}" ]; then
	tree=$("$TOP/tests/clients/tree" | tail -n 1)
	tree_args=(--tree "$tree" --program caif-modeminit) image+=-clients
fi
tun=$("$TOP/scripts/tun" "$kernel" | tail -n 1)

# Parts of the tests that run at the same time make the same firmware.
exec {firmware_lock}>"$CACHE/lock.firmware"
flock "$firmware_lock"
firmware=$CACHE/firmware
mkdir -p "$firmware"
firmware_args=()
while read -ra words; do
	case ${words[0]:-#} in '#'*) continue ;; esac
	"$programs/caif-firmware" --output "$firmware/${words[0]}.elf" "${words[@]:1}"
	firmware_args+=(--firmware "$firmware/${words[0]}.elf")
done <"$TOP/tests/vm/firmware"

CAIF_INITRAMFS=$("$TOP/scripts/initramfs" --kernel "$kernel" --name "$image" "${firmware_args[@]}" \
	"${cstack_args[@]}" "${tree_args[@]}" "$modules"/{caif-virtio,caif,"$board"}.ko "$tun"/*.ko | tail -n 1)
exec {firmware_lock}>&-
export CAIF_INITRAMFS CAIF_MODEM_BIN=$programs CAIF_RUN_VM=$TOP/scripts/run-vm CAIF_TEST_KERNEL=$kernel
