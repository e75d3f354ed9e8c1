#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Executes single interrupts of one driver after the other, each on a command from the host. Runs in
# the test machine.
set -eu
bench=/sys/kernel/debug/caif_bench
modprobe vringh
modprobe caif_bench
for driver in caif_virtio caif_virtio_c; do
	modprobe "$driver"
	cat $bench/reset
	# The host needs the addresses of the modules' functions.
	grep '\[' /proc/kallsyms
	for payload in 64 1500; do
		# Frames per interrupt, and frames per chain.
		for shape in 1,1 8,1 32,1 8,8; do
			echo "$shape,$payload" >/sys/module/caif_bench/parameters/one
			cat $bench/one
			echo "profile $driver $shape,$payload"
			read -r _
			cat $bench/one
			echo 'profile done'
			read -r _
		done
	done
	rmmod "$driver"
done
echo 'profile end'
