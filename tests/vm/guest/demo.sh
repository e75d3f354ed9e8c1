# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# The commands of the demo inside the machine. Each is shown before it runs, and the
# first that fails ends the demo. A line "host: ..." asks the host for something.
set -eu
title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() {
	printf '# %s\n' "$*"
	"$@"
}
# What the kernel said since the last time.
said() { dmesg -c | sed -nE 's/^\[[ 0-9.]*\] (.*(remoteproc0|caif_virtio virtio|NET: ).*)/  \1/p'; }

title 'The link driver, on an unpatched kernel'
run uname -r
dmesg -c >/dev/null
# By the names of what the kernel has found, as udev does.
board=/sys/bus/platform/devices/9000000.remoteproc
[ -e "$board" ] || board=$(dirname "$(grep -lx 0x1110 /sys/bus/pci/devices/*/device)")
run modprobe "$(cat "$board/modalias")"
device=$(guest-tool until --devices "grep -hs '^virtio:d0000000C' /sys/bus/virtio/devices/*/modalias")
run modprobe "$device"
link=$(guest-tool wait-netdev 'cfvrt*')
said

title 'An IP interface, for which the kernel loads the stack'
run ip link set "$link" up
guest-tool wait-carrier "$link"
run caifctl link add caif0 --connection-id 1
run ip link set caif0 up
run ip addr add 10.9.1.2 peer 10.9.1.1 dev caif0
guest-tool wait-carrier caif0
run ip addr show dev caif0
said
run lsmod

title 'Ping'
run ping -c 5 -A 10.9.1.1
run guest-tool ping 10.9.1.1 --sizes 0,1,8,64,512,1000,1471,1472 --count 50

title 'TCP, both ways at once, every byte compared'
run guest-tool tcp both 10.9.1.1 --bytes 10000000

title 'AT commands, by a socket of the family AF_CAIF'
run caifctl at --exec AT ATI AT+CSQ AT+CREG?

title 'Counters'
run guest-tool counters "$link" caif0 --clean

title 'The modem crashes: the interface loses its carrier, and nothing else'
echo 'host: kill the modem'
guest-tool wait-carrier caif0 --state down
run ip addr show dev caif0

title 'The modem is back: once its link is up, so is the interface'
echo 'host: start the modem'
guest-tool wait-netdev "$link" >/dev/null
run ip link set "$link" up
guest-tool wait-carrier caif0
said
run ip addr show dev caif0
run ping -c 5 -A 10.9.1.1
run caifctl at --exec AT
run caifctl status
