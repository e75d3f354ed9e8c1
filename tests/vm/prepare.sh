# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Builds the parts of a test machine with modems. Sourced, after lib.sh and
# toolenv.sh, with $kernel set; sets modem_bin, modules, cstack and initramfs.
# shellcheck disable=SC2034,SC2154 # set for, and by, the script that sources this

modem_bin=$("$TOP/scripts/modem" | tail -n 1)
modules=$("$TOP/scripts/modules" --kernel "$kernel" | tail -n 1)
cstack=$("$TOP/scripts/caif-stack" "$kernel" | tail -n 1)

firmware=$CACHE/firmware
rm -rf "$firmware"
mkdir -p "$firmware"
firmware_args=()
while read -ra words; do
	case ${words[0]:-#} in '#'*) continue ;; esac
	"$modem_bin/caif-firmware" --output "$firmware/${words[0]}.elf" "${words[@]:1}"
	firmware_args+=(--firmware "$firmware/${words[0]}.elf")
done <"$TOP/tests/vm/firmware"

initramfs=$("$TOP/scripts/initramfs" --kernel "$kernel" --name "$kernel" "${firmware_args[@]}" \
	"$modules"/{caif-virtio,ivshmem-rproc}.ko "$cstack"/{caif,chnl_net,caif_socket}.ko | tail -n 1)
