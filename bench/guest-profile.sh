#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Executes single interrupts of one driver after the other, each when it is told to. Runs in the
# test machine.
set -eu
bench=/sys/kernel/debug/caif_bench
modprobe vringh
modprobe caif_bench
for driver in caif_virtio caif_virtio_c; do
	modprobe "$driver"
	cat $bench/reset
	# With the names of what is in modules, by which the host knows the addresses.
	grep '\[' /proc/kallsyms
	for payload in 64 1500; do
		# Frames, and how many are on a chain.
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
