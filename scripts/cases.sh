# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Counts cases for the scripts that run tests. Each case prints a line, and `counted` prints the last
# line of the script, by which tests/run knows what came of it. Sourced, after lib.sh.

passed=0 failed=0

# result NAME ok|WHY [REMARK]: counts a case, which passed or failed for this reason.
result() {
	if [ "$2" = ok ]; then
		printf 'ok    %s%s\n' "$1" "${3:+ ($3)}"
		passed=$((passed + 1))
	else
		printf 'FAIL  %s%s: %s\n' "$1" "${3:+ ($3)}" "$2"
		failed=$((failed + 1))
	fi
}

# strictly COMMAND...: runs a command or a function in a shell of its own, which stops at the first
# error, and sets `status`. Never call it in a condition: there the shell does not stop at errors.
strictly() {
	set +e
	(
		set -e
		"$@"
	)
	status=$?
	set -e
}

# try NAME LOG COMMAND...: counts a case that is a command or a function. What it prints goes to the log,
# whose end is shown if it fails; without a log (-) it is shown as it comes.
try() {
	local name=$1 log=$2 start=$SECONDS status
	shift 2
	if [ "$log" = - ]; then
		strictly "$@"
	else
		mkdir -p "${log%/*}"
		say "$name"
		strictly "$@" >"$log" 2>&1 </dev/null
	fi
	if [ "$status" = 0 ]; then
		result "$name" ok "$((SECONDS - start)) s"
		return
	fi
	[ "$log" = - ] || tail -n 20 "$log"
	result "$name" "status $status$([ "$log" = - ] || echo ", see $log")" "$((SECONDS - start)) s"
}

# cargo_cases LOG ARGUMENT...: runs `cargo test` with these arguments on the workspace, and counts its tests.
# What it prints is kept in the log, too.
cargo_cases() {
	local log=$1 rc=0 good bad
	shift
	mkdir -p "${log%/*}"
	CARGO_TARGET_DIR=$CACHE/target cargo test --locked --no-fail-fast --color never --manifest-path "$TOP/Cargo.toml" "$@" 2>&1 |
		tee "$log" | sed -E '/^ +(Compiling|Downloaded|Downloading)/d' || rc=$?
	cargo_count "$log"
	# What does not compile, and a program that dies, prints no result.
	if [ "$rc" != 0 ] && [ "$bad" = 0 ]; then
		result "cargo test $*" "no test failed, but it ended with status $rc"
	elif [ "$good$bad" = 00 ]; then
		result "cargo test $*" "there is no test"
	fi
}

# cargo_count LOG: counts the tests of which `cargo test` wrote the log. Sets good and bad to their numbers.
cargo_count() {
	read -r good bad < <(awk '/^test result:/ { good += $4; bad += $6 } END { print good + 0, bad + 0 }' "$1")
	passed=$((passed + good)) failed=$((failed + bad))
}

# counted: prints the last line of the script, and fails if a case failed, or if there was none.
counted() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" != 0 ]
}
