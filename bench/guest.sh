#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Measures one driver after the other, on the same modem. Runs in the test machine.
set -eu
modprobe vringh
for event_idx in 0 1; do
	modprobe caif_bench "event_idx=$event_idx"
	for driver in caif_virtio caif_virtio_c; do
		modprobe "$driver"
		echo "{\"driver\":\"$driver\",\"event_idx\":$event_idx}"
		cat /sys/kernel/debug/caif_bench/run
		rmmod "$driver"
	done
	rmmod caif_bench
done
echo '{"end":true}'
