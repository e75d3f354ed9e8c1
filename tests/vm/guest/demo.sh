# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# The commands of the demo inside the machine. Each is shown before it runs, and the
# first that fails ends the demo.
set -eu
title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
	printf '# %s\n' "$*"
	"$@"
}

title 'The modules, on an unpatched kernel'
run uname -r
run modprobe ivshmem_rproc
# The C CAIF stack: IP interfaces, and the AT sockets.
run modprobe chnl_net
run modprobe caif_socket
run modprobe caif_virtio
link=$(guest-tool wait-netdev 'cfvrt*')
dmesg | sed -n 's/^\[[ 0-9.]*\] \(.*\(remoteproc0\|caif_virtio virtio\).*\)/  \1/p'

title 'The link, and an IP interface over it'
run ip link set "$link" up
guest-tool wait-carrier "$link"
run guest-tool link-add caif0 --connid 1
run ip link set caif0 up
run ip addr add 10.9.1.2 peer 10.9.1.1 dev caif0
run ip addr show dev caif0

title 'Ping'
run ping -c 5 -A 10.9.1.1
run guest-tool ping 10.9.1.1 --sizes 0,1,8,64,512,1000,1471,1472 --count 50

title 'TCP, both ways at once, every byte compared'
run guest-tool tcp both 10.9.1.1 --bytes 10000000

title 'AT commands'
run guest-tool at AT ATI AT+CSQ AT+CREG?

title 'Counters'
run guest-tool counters "$link" caif0 --clean
