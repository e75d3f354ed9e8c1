#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Measures one driver after the other, with the same modem, and this driver's cost with more
# descriptors, modems and channels. Runs in the test machine.
set -eu
bench=/sys/kernel/debug/caif_bench
modprobe vringh
for event_idx in 0 1; do
	modprobe caif_bench "event_idx=$event_idx"
	for driver in caif_virtio caif_virtio_c; do
		modprobe "$driver"
		echo "{\"driver\":\"$driver\",\"event_idx\":$event_idx}"
		cat $bench/run
		rmmod "$driver"
	done
	rmmod caif_bench
done

# Prints the free memory in KiB.
free_memory() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	while read -r key value _; do
		if [ "$key" = MemFree: ]; then echo "$value"; fi
	done </proc/meminfo
}
# grow WHAT VALUE RING MODEMS CHANNELS
grow() {
	modprobe caif_bench "num=$3" "modems=$4" "channels=$5"
	before=$(free_memory)
	modprobe caif_virtio
	after=$(free_memory)
	echo "{\"growth\":\"$1\",\"value\":$2,\"ring\":$3,\"modems\":$4,\"memory\":$((before - after))}"
	cat $bench/growth
	rmmod caif_virtio caif_bench
}
for ring in 16 64 256 1024 4096 32768; do grow ring $ring $ring 1 1; done
for modems in 1 2 4 8; do grow modems $modems 256 $modems 1; done
for channels in 1 8 64; do grow channels $channels 256 1 $channels; done
for modems in 1 8; do grow memory $modems 32768 $modems 1; done
echo '{"end":true}'
