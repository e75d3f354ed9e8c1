# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Cases of the scripts that run tests. Each prints a line, and tells count-cases of tests/harness, which
# counts them, prints the last line of the script, and ends what the script has started. Sourced, after lib.sh.

script_args=("$@")
# CAIF_RECORDS names the file with the cases of one script: one that another script runs begins its own.
[ "${CAIF_COUNTER:-}" = "$PPID" ] || unset CAIF_RECORDS

# supervised: has what follows run under count-cases, which starts the script anew. Called once its arguments
# are known to be good, and before it changes anything.
supervised() {
	local counter
	[ -z "${CAIF_RECORDS:-}" ] || return 0
	counter=$(harness_program count-cases)
	exec "$counter" "$0" "${script_args[@]}"
}

# harness_program NAME: builds a program of tests/harness, and prints its path.
harness_program() {
	[ -x "$CACHE/target/release/$1" ] || say "building $1, which runs the cases"
	cargo build --quiet --release --locked --target-dir "$CACHE/target" --manifest-path "$TOP/Cargo.toml" -p harness --bin "$1" ||
		die "$1 cannot be built"
	echo "$CACHE/target/release/$1"
}

# record LINE: tells count-cases.
record() { printf '%s\n' "$1" >>"${CAIF_RECORDS:?the script does not call supervised}"; }

# result NAME ok|WHY [REMARK]: a case, which passed or failed for this reason.
result() {
	if [ "$2" = ok ]; then
		printf 'ok    %s%s\n' "$1" "${3:+ ($3)}"
		record "ok $1"
	else
		printf 'FAIL  %s%s: %s\n' "$1" "${3:+ ($3)}" "$2"
		record "FAIL $1"
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

# try NAME LOG COMMAND...: a case that is a command or a function. What it prints goes to the log,
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

# cargo_cases LOG ARGUMENT...: runs `cargo test` with these arguments on the workspace; each test is a case.
# What it prints is kept in the log, too.
cargo_cases() {
	local log=$1 rc=0
	shift
	mkdir -p "${log%/*}"
	CARGO_TARGET_DIR=$CACHE/target cargo test --locked --no-fail-fast --color never --manifest-path "$TOP/Cargo.toml" "$@" 2>&1 |
		tee "$log" | sed -E '/^ +(Compiling|Downloaded|Downloading)/d' || rc=$?
	cargo_record "$log" "$rc" "$*"
}

# cargo_record LOG STATUS ARGUMENTS: the cases of a `cargo test` that wrote the log.
cargo_record() {
	record "cargo $2 $3"
	grep -a '^test result: ' "$1" >>"$CAIF_RECORDS" || true
}

# counted: the script has come to its end; without it none of its cases count for anything.
counted() { record end; }
