#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Measures the modem's services over CAIF, and the same services over virtio-net, by turns. Runs in
# the test machine.
set -eu
modprobe ivshmem_rproc
modprobe chnl_net
modprobe caif_virtio
link=$(guest-tool wait-netdev 'cfvrt*')
ip link set "$link" up
guest-tool wait-carrier "$link"
guest-tool link-add caif0 --connid 1
ip link set caif0 up
ip addr add 10.9.1.2 peer 10.9.1.1 dev caif0
ip link set eth0 up
guest-tool wait-carrier eth0
ip addr add 10.8.1.2/24 dev eth0
echo "{\"mtu\":{\"caif\":$(cat /sys/class/net/caif0/mtu),\"virtio-net\":$(cat /sys/class/net/eth0/mtu)}}"
for round in warm 1 2 3 4 5 6 7; do
	for pair in caif:10.9.1.1 virtio-net:10.8.1.1; do
		guest-tool measure "${pair#*:}" --pings 1000 --datagrams 4000 --bytes 20000000 --name "${pair%:*}" >/tmp/measured
		if [ $round != warm ]; then grep '^{' /tmp/measured; fi
	done
done
guest-tool counters "$link" caif0 eth0 --clean
echo '{"end":true}'
