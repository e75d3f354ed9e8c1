#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Measures the modem's services over CAIF with driver and stack of this project and with the
# originals in C, and the same services over virtio-net, in turn. Runs in the test machine.
set -eu
drivers=/sys/bus/virtio/drivers
# bind DRIVER: loads the stack in its language, binds it to the modem's device, and waits until
# traffic can pass.
bind() {
	case $1 in
	caif_virtio) modprobe caif ;;
	*) insmod /c-stack/caif.ko && insmod /c-stack/chnl_net.ko ;;
	esac
	echo "$device" >"$drivers/$1/bind"
	link=$(guest-tool wait-netdev 'cfvrt*')
	ip link set "$link" up
	guest-tool wait-carrier "$link"
	guest-tool link-add caif0 --connid 1
	ip link set caif0 up
	ip addr add 10.9.1.2 peer 10.9.1.1 dev caif0
	guest-tool wait-carrier caif0
}
unbind() {
	guest-tool counters "$link" caif0 --clean >&2
	ip link del caif0
	echo "$device" >"$drivers/$1/unbind"
	[ "$1" = caif_virtio ] || rmmod chnl_net
	rmmod caif
}
# measure LINK ADDRESS
measure() {
	taskset 1 guest-tool measure "$2" --pings 1000 --datagrams 4000 --bytes 20000000 --name "$1" >/tmp/measured
	if [ "$round" != warm ]; then grep '^{' /tmp/measured; fi
}
# Interrupts on one CPU and the measuring program on the other. Unpinned, their placement causes most
# of the variance.
echo 2 >/proc/irq/default_smp_affinity
modprobe ivshmem_rproc
modprobe caif_virtio
guest-tool wait-netdev 'cfvrt*'
modprobe caif_bench_link
modprobe caif_virtio_c
device=$(cd "$drivers/caif_virtio" && ls -d virtio[0-9]*)
echo "$device" >"$drivers/caif_virtio/unbind"
ip link set eth0 up
guest-tool wait-carrier eth0
ip addr add 10.8.1.2/24 dev eth0
set -- caif_virtio caif_virtio_c virtio-net
for round in warm $(seq 15); do
	for name in "$@"; do
		case $name in
		virtio-net) measure "$name" 10.8.1.1 ;;
		*)
			bind "$name"
			measure "$name" 10.9.1.1
			unbind "$name"
			;;
		esac
	done
	set -- "$2" "$3" "$1"
done
guest-tool counters eth0 --clean >&2
if dmesg | grep -E 'WARNING:|BUG:|Oops|conflict'; then exit 1; fi
echo '{"end":true}'
