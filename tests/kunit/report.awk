# SPDX-License-Identifier: GPL-2.0
# Compares the KTAP in a kernel log with the cases that the sources have.
#
# First file: one line for each case, "suite case". Second file: the log without
# its time stamps. Prints one line for each case, and 'N passed, N failed' last.

function fault(what) {
	print "FAIL  " what
	failed++
}

# Ends the suite that is being read.
function end_suite() {
	if (suite != "" && seen != planned)
		fault(suite ": " seen + 0 " cases reported, " planned " planned")
	suite = ""
}

FNR == 1 { file++ }

file == 1 {
	order[++cases] = $1 "." $2
	next
}

/^caif-kunit: begin/ { running = 1 }
/^caif-kunit: end/ { ended = 1 }
/^caif-kunit: error: / { errors[++error_count] = substr($0, 20) }
!running { next }

/WARNING|BUG|Oops|INFO: |refcount_t|ODEBUG|UBSAN|KASAN|KCSAN|DMA-API|unregister_netdevice: waiting|lockdep|panic|general protection fault|Unable to handle|possible (recursive|circular)|inconsistent|suspicious RCU|while atomic|sleeping function|Call Trace|cannot create duplicate|kmemleak|corruption|blocked for more than|soft lockup|NETDEV WATCHDOG: / {
	if (log_count++ < 20)
		log_lines[log_count] = $0
}

/^    # Subtest: / {
	end_suite()
	suite = $3
	planned = ""
	seen = 0
	next
}
/^    1\.\.[0-9]+$/ {
	planned = substr($1, 4) + 0
	next
}
/^    (not )?ok [0-9]+ / {
	line = $0
	good = line !~ /^    not / && line !~ /# (SKIP|TODO)/
	sub(/^    (not )?ok /, "", line)
	split(line, part, " ")
	seen++
	if (part[1] != seen)
		fault(suite "." part[2] ": number " part[1] ", should be " seen)
	result[suite "." part[2]] = good ? "ok" : "not ok"
	next
}
/^    # check failed / || /^    # .*ASSERTION FAILED/ {
	print "      " $0
}
/^(not )?ok [0-9]+ / { end_suite() }

END {
	end_suite()
	for (i = 1; i <= cases; i++) {
		name = order[i]
		if (result[name] == "ok") {
			print "ok    " name
			passed++
		} else if (result[name] == "not ok") {
			fault(name)
		} else {
			fault(name ": did not run")
		}
		delete result[name]
	}
	for (name in result)
		fault(name ": ran, but is not in the sources")
	for (i = 1; i <= error_count; i++)
		fault(errors[i])
	if (!ended)
		fault("the machine did not come to its end: it crashed, or hung")
	if (log_count) {
		for (i = 1; i in log_lines; i++)
			print "      " log_lines[i]
		fault("the kernel's log is not clean: " log_count " lines")
	} else if (ended) {
		print "ok    kernel log"
		passed++
	}
	print passed + 0 " passed, " failed + 0 " failed"
}
