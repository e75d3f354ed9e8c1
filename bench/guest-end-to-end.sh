#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Measures the modem's services over CAIF, with driver and stack of this project, with those of the
# original in C and with this driver below the original stack, and the same services over virtio-net,
# in turn. Runs in the test machine.
set -eu
drivers=/sys/bus/virtio/drivers
# The emulation of a foreign processor is several times slower.
case $(uname -m) in
aarch64) board=soc_rproc counts='--pings 400 --datagrams 1500 --small 4000 --bytes 6000000' bytes=6M ;;
*) board=ivshmem_rproc counts='--pings 1000 --datagrams 4000 --small 10000 --bytes 20000000' bytes=20M ;;
esac
rounds=$(sed -n 's/.*caif\.rounds=\([0-9]*\).*/\1/p' /proc/cmdline)
# bind LINK: loads the stack in its language, binds its driver to the modem's device, and waits until
# traffic can pass. A link is called DRIVER/STACK, by their languages.
bind() {
	case $1 in
	rust/*) driver=caif_virtio ;;
	*) driver=caif_virtio_c ;;
	esac
	case $1 in
	*/rust) modprobe caif ;;
	*) insmod /c-stack/caif.ko && insmod /c-stack/chnl_net.ko ;;
	esac
	echo "$device" >"$drivers/$driver/bind"
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
	echo "$device" >"$drivers/$driver/unbind"
	[ "$1" = rust/rust ] || rmmod chnl_net
	rmmod caif
}
# received ADDRESS ARGUMENT...: bits in a second that iperf3's receivers got, of all streams.
received() {
	address=$1
	shift
	taskset 1 /ld-linux-*.so.* --library-path / /iperf3 --client "$address" --bytes "$bytes" --json "$@" >/tmp/iperf3 ||
		{ cat /tmp/iperf3 >&2 && return 1; }
	sed -n '/"sum_received":/,/}/s/.*"bits_per_second":[[:space:]]*\([0-9.e+]*\),*$/\1/p' /tmp/iperf3
}
# measure LINK ADDRESS
measure() {
	# shellcheck disable=SC2086 # several words
	taskset 1 guest-tool measure "$2" $counts --name "$1" >/tmp/measured
	to=$(received "$2")
	from=$(received "$2" --reverse)
	to_4=$(received "$2" --parallel 4)
	from_4=$(received "$2" --parallel 4 --reverse)
	[ "$round" = warm ] || sed -n "/^{/s|}\$|,\"iperf3_to\":$to,\"iperf3_from\":$from,\"iperf3_4_to\":$to_4,\"iperf3_4_from\":$from_4}|p" /tmp/measured
}
# Interrupts on one CPU and the measuring program on the other. Unpinned, their placement causes most
# of the variance.
echo 2 >/proc/irq/default_smp_affinity
modprobe "$board"
modprobe caif_virtio
guest-tool wait-netdev 'cfvrt*'
modprobe caif_bench_link
modprobe caif_virtio_c
device=$(cd "$drivers/caif_virtio" && ls -d virtio[0-9]*)
echo "$device" >"$drivers/caif_virtio/unbind"
ip link set eth0 up
guest-tool wait-carrier eth0
ip addr add 10.8.1.2/24 dev eth0
# For the profile: streams of iperf3 that the host samples, with the symbols of the modules.
if grep -q caif.profile /proc/cmdline; then
	for name in rust/rust c/c; do
		bind "$name"
		echo "symbols ${name%/*}"
		grep '\[' /proc/kallsyms
		bytes=300M
		for reverse in '' --reverse; do
			way=to
			[ -z "$reverse" ] || way=from
			echo "sample begin ${name%/*}-$way"
			received 10.9.1.1 ${reverse:+"$reverse"} >&2
			echo 'sample end'
		done
		unbind "$name"
	done
	echo 'samples end'
	exit
fi
set -- rust/rust rust/c c/c virtio-net
for round in warm $(seq "$rounds"); do
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
	set -- "$2" "$3" "$4" "$1"
done
guest-tool counters eth0 --clean >&2
if dmesg | grep -E 'WARNING:|BUG:|Oops|conflict'; then exit 1; fi
echo '{"end":true}'
