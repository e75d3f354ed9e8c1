#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Measures one driver after the other, with the same modem, then one stack after the other, and this
# driver's cost with more descriptors, modems and channels. Runs in the test machine.
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

# Both stacks claim the same family and kind of interface: one at a time.
modprobe caif_bench
for stack in c/caif_virtio_c c/caif_virtio rust/caif_virtio; do
	driver=${stack#*/} stack=${stack%/*}
	modprobe "$driver"
	cat $bench/answer
	guest-tool wait-carrier "$(guest-tool wait-netdev 'cfvrt*')"
	case $stack in
	c) modprobe chnl_net ;;
	rust) insmod /caif.ko ;;
	esac
	echo "{\"stack\":\"$stack\",\"over\":\"$driver\"}"
	guest-tool link-add caif0 --connid 1
	ip link set caif0 up
	cat $bench/stack
	for i in $(seq 63); do
		guest-tool link-add "caif$i" --connid "$((i + 1))"
		ip link set "caif$i" up
	done
	cat $bench/channels
	if [ "$stack" = c ]; then rmmod chnl_net; fi
	rmmod caif "$driver"
done
rmmod caif_bench

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
