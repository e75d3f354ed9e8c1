# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Samples what the processors of a QEMU machine do, by its monitor. Sourced, after lib.sh.

# sample FOLDER COMMAND...: runs a machine with its console and monitor on standard input and output, and
# samples it while its script says so, by lines 'sample begin NAME', 'sample end' and, at its end, 'samples end'.
# FOLDER/NAME has a line for each sample: processor, address, privilege level, whether it is halted. Symbols
# that the machine prints after a line 'symbols NAME' go to FOLDER/NAME.symbols.
sample() {
	local out=$1 line at='' symbols='' cpu='' ended='' vm
	shift
	coproc VM { exec "$@" 2>&1; }
	vm=$VM_PID
	pids+=("$vm")
	while IFS= read -r -t 300 line <&"${VM[0]}"; do
		line=${line%$'\r'}
		case $line in
		'sample begin '*)
			at=${line#sample begin }
			say "  $at" && ask
			;;
		'sample end') at='' ;;
		'samples end') ended=1 && break ;;
		'symbols '*) symbols=${line#symbols } ;;
		[0-9a-f]*' '[tTwW]' '*) [ -z "$symbols" ] || printf '%s\n' "$line" >>"$out/$symbols.symbols" ;;
		*CPU#*) cpu=${line##*CPU#} ;;
		*RIP=*)
			[ -n "$at" ] || continue
			[[ $line =~ RIP=([0-9a-f]+).*CPL=([0-3]).*HLT=([01]) ]] || die "not as QEMU writes it: $line"
			echo "$cpu ${BASH_REMATCH[*]:1}" >>"$out/$at"
			# The next look comes after an interval in which the machine runs.
			if [ "$cpu" = 1 ]; then sleep 0.02 && ask; fi
			;;
		esac
	done
	[ -n "$ended" ] || die "the machine stopped early, see $out"
}
# Asks for the registers of all processors. Ctrl-A C switches between the console and QEMU's monitor.
ask() { printf '\001cinfo registers -a\n\001c' >&"${VM[1]}"; }

# subjects SYSTEM-MAP SYMBOLS SAMPLES: prints the shares of what each processor does, in percent.
subjects() {
	awk '
		function subject(address,   low, high, middle, name) {
			low = 1; high = functions
			while (low < high) {
				middle = int((low + high + 1) / 2)
				if (start[middle] <= address) low = middle; else high = middle - 1
			}
			name = function_of[low]
			if (name ~ /spin_lock_slowpath/) return "waiting for a spin lock"
			if (name ~ /\[(caif_virtio|caif_virtio_c|vringh)\]$/) return "driver"
			if (name ~ /\[(caif|chnl_net|caif_socket)\]$/) return "stack"
			if (name ~ /^(memcpy|__memcpy|rep_movs|copy_|_copy|csum_|__csum|clear_page|skb_copy|memset|__memset)/) return "copies and checksums"
			if (name ~ /^(tcp_|__tcp|ip_|__ip|inet_|ipv4_|sk_stream|bictcp|cubictcp|raw_)/) return "TCP and IP"
			if (name ~ /(virtqueue|vring|rproc|ivshmem|iowrite|ioread|writel|native_apic|send_IPI|msix|pci_msi)/) return "kicks and interrupts"
			if (name ~ /(skb|kmem_cache|kmalloc|kfree|slab|page|folio)/) return "packets: allocate and free"
			if (name ~ /^(net_|__net|netif|__netif|napi|__napi|dev_|__dev|qdisc|__qdisc|pfifo|sch_|gro|dql)/) return "network core"
			return "the rest of the kernel"
		}
		FILENAME == ARGV[1] {
			if ($2 ~ /^[tTwW]$/) { functions++; start[functions] = $1; function_of[functions] = $3 $4 }
			next
		}
		{
			# Addresses of the kernel all have 16 digits, so that they compare as text.
			what = $4 == 1 ? "idle" : $3 == 3 ? "the program" : subject($2 "")
			count[$1, what]++
			all[$1]++
		}
		END {
			n = split("idle|the program|copies and checksums|TCP and IP|network core|packets: allocate and free|stack|driver|kicks and interrupts|waiting for a spin lock|the rest of the kernel", order, "|")
			for (i = 1; i <= n; i++)
				printf "%s\t%.1f\t%.1f\n", order[i], all[0] ? 100 * count[0, order[i]] / all[0] : 0, all[1] ? 100 * count[1, order[i]] / all[1] : 0
			printf "samples\t%d\t%d\n", all[0], all[1]
		}' <(sort "$1" "$2") "$3"
}
