# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Shared by the scripts: the cache, the versions, progress and errors. Sourced,
# never run.
# shellcheck disable=SC2034 # used by the scripts that source this

# The checkout.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# For cargo, see modem/kernel-pure/build.rs.
export CAIF_CHECKOUT=$TOP
# Everything that is downloaded or built lives here, outside the checkout.
CACHE=$(realpath -ms "${CAIF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/caif_virtio}")
# Made absolute for scripts that this one runs in another folder.
[ -z "${CAIF_CACHE:-}" ] || export CAIF_CACHE=$CACHE

# Versions the project was tested with. A newer package of the same series is
# taken, with a warning, when the archive no longer carries the pinned one.
LINUX_SERIES=7.3
LINUX_PIN=7.3.4-1~bpo13+1
# An older release that the modules build for as well, see abstractions/compat.rs.
LINUX_OLDER_SERIES=7.2
LINUX_OLDER_PIN=7.2.12-1~bpo13+1
CSTACK_SERIES=6.12
BINDGEN_PIN=0.72.1
# The oldest rustc that the kernel supports, from Debian 12's package for its browsers.
RUSTC_OLDEST_SERIES=1.85
RUSTC_OLDEST_PIN='1.85.0+dfsg3-1~deb12u3'
LLVM_VER=19
# Debian 12's tshark, by which the dissector is tested.
WIRESHARK_SERIES=4.0
WIRESHARK_PIN='4.0.17-0+deb12u3'
# The bus of the tests of caif-modeminit, where none is installed: Debian 12's.
# shellcheck disable=SC2034 # used by scripts that source this
DBUS_SERIES=1.14

JOBS=${JOBS:-$(nproc)}

# The architecture of the test machine, by the name that the kernel, Debian or the
# compilers give it; the modem always runs on the host's. What is built for another
# than the default has its name at the end. Without ARCH in the environment the
# kernel's own build takes the host's.
ARCH_MAKE=()
case ${ARCH:-} in
'' | x86_64 | x86 | amd64)
	[ -z "${ARCH:-}" ] || ARCH_MAKE=(ARCH=x86)
	ARCH=x86_64 ARCH_SUFFIX='' KERNEL_IMAGE=arch/x86/boot/bzImage
	;;
arm64 | aarch64) ARCH=arm64 ARCH_SUFFIX=-arm64 ARCH_MAKE=(ARCH=arm64) KERNEL_IMAGE=arch/arm64/boot/Image ;;
arm | armv7l | armhf) ARCH=arm ARCH_SUFFIX=-arm ARCH_MAKE=(ARCH=arm) KERNEL_IMAGE=arch/arm/boot/zImage ;;
*)
	echo "error: ARCH=$ARCH is unknown: want x86_64 (or x86, amd64), arm64 (or aarch64) or arm (or armv7l, armhf)" >&2
	exit 2
	;;
esac

# The kernel that the demo and all tests boot: one with sanitizers, so that one is enough. That of
# arm64 has none; arm has only the one of tests/kernels.
case $ARCH in
x86_64) TEST_KERNEL=san ;;
arm64) TEST_KERNEL='test' ;;
arm) TEST_KERNEL=v7 ;;
esac

# Arguments that make the kernel's build use gcc: none, or the cross compiler.
GCC_MAKE=()
case $ARCH-$(uname -m) in
x86_64-x86_64 | arm64-aarch64 | arm-armv7l) ;;
x86_64-*) GCC_MAKE=("CROSS_COMPILE=${CROSS_COMPILE:-x86_64-linux-gnu-}") ;;
arm64-*) GCC_MAKE=("CROSS_COMPILE=${CROSS_COMPILE:-aarch64-linux-gnu-}") ;;
arm-*) GCC_MAKE=("CROSS_COMPILE=${CROSS_COMPILE:-arm-linux-gnueabihf-}") ;;
esac
# compiler_make KDIR: sets COMPILER_MAKE to the arguments that make the build of modules use the
# kernel's compiler.
compiler_make() {
	COMPILER_MAKE=("${GCC_MAKE[@]}")
	! grep -qx 'CONFIG_CC_IS_CLANG=y' "$1/include/config/auto.conf" || COMPILER_MAKE=("LLVM=${LLVM:--$LLVM_VER}")
}

# kernel_arch CONFIG: takes the architecture of the kernel that has this configuration, if it is one
# of ours. Refuses another in the environment.
kernel_arch() {
	local arch
	arch=$(sed -nE 's/^CONFIG_(X86_64|ARM64|ARM)=y$/\L\1/p' "$1" | head -n 1)
	if [ -z "$arch" ] || grep -qx CONFIG_UML=y "$1"; then
		return
	fi
	[ "${#ARCH_MAKE[@]}" = 0 ] || [ "$arch" = "$ARCH" ] || die "the kernel is one of $arch, and ARCH is $ARCH"
	ARCH=$arch
	# shellcheck source=scripts/lib.sh
	. "$TOP/scripts/lib.sh"
}

# debian_kernel NAME: sets deb_series, deb_pin and deb_release to the series, the version and the release
# of a kernel of Debian 13's backports for arm64. Fails if there is none of that name.
debian_kernel() {
	local flavour
	deb_series=$LINUX_SERIES deb_pin=$LINUX_PIN
	case $1 in
	debian) flavour=arm64 ;;
	debian-rt) flavour=rt-arm64 ;;
	debian-16k) flavour=arm64-16k ;;
	"debian-$LINUX_OLDER_SERIES") flavour=arm64 deb_series=$LINUX_OLDER_SERIES deb_pin=$LINUX_OLDER_PIN ;;
	*) return 1 ;;
	esac
	deb_release=${deb_pin%%-*}+deb13-$flavour
}

# config_lines CONFIG: what a kernel's configuration says, sorted.
config_lines() { grep -E '^(# )?CONFIG_' "$1" | LC_ALL=C sort; }

# tool_of NAME VERSION: the program of that name whose --version begins with that line, of all on
# PATH; just the name, where that is enough.
tool_of() {
	local file first=$1
	while read -r file; do
		if [ "$("$file" --version 2>/dev/null </dev/null | head -n 1)" = "$2" ]; then
			echo "${first:-$file}"
			return
		fi
		first=''
	done < <(type -ap "$1")
	return 1
}

# lost_config FRAGMENTS CONFIG: the lines of a kernel's fragments that its configuration lacks. The
# last line for a symbol counts.
lost_config() {
	local line
	sed -E 's/^# (CONFIG_[A-Za-z0-9_]+) is not set$/\1=n/' "$1" |
		awk -F= '/^CONFIG_.*=/ { last[$1] = $0 } END { for (at in last) print last[at] }' | sort |
		while read -r line; do
			case $line in
			*=n) ! grep -q "^${line%=n}=" "$2" || echo "$line" ;;
			*) grep -qxF "$line" "$2" || echo "$line" ;;
			esac
		done
}

# source_version: the version of the sources, by which DKMS and dpkg tell an older one from a newer: that in
# dkms.conf and, in a checkout of git, the last commit, which sorts by its date and, within a second, by the
# number of commits before it.
source_version() {
	local base commit=''
	base=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' "$TOP/dkms.conf")
	[ ! -e "$TOP/.git" ] || commit=$(TZ=UTC git -C "$TOP" log -1 --abbrev=8 --date=format-local:%Y%m%d%H%M%S \
		--format="%cd.$(git -C "$TOP" rev-list --count HEAD 2>/dev/null).%h" 2>/dev/null) || true
	echo "$base${commit:++git$commit}"
}
# is_version TEXT: whether dpkg and DKMS take it for a version.
is_version() { [[ $1 =~ ^[0-9][A-Za-z0-9.+~]*$ ]]; }

# replacement TEXT: the text as it is written in the second half of sed's s|||.
replacement() { printf '%s' "$1" | sed 's/[&|\\]/\\&/g'; }

# In bold on a terminal; in a log there are no escape sequences.
if [ -t 2 ]; then
	say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
else
	say() { printf '==> %s\n' "$*" >&2; }
fi
warn() { printf 'warning: %s\n' "$*" >&2; }
die() {
	printf 'error: %s\n' "$*" >&2
	exit 1
}

# Whether the source of rustc's own library is installed, which kernels need and modules do not.
has_rust_src() { [ -n "${RUST_LIB_SRC:-}" ] || [ -d "$(rustc --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library" ]; }
want_rust_src() {
	has_rust_src ||
		die "rustc $(rustc --version | cut -d' ' -f2) has no library source: rustup component add rust-src, or set RUST_LIB_SRC"
}

# The test kernel that is built already, san before test; san if there is none.
built_kernel() {
	local name
	for name in san 'test'; do
		if [ -e "$CACHE/kernel-$name$ARCH_SUFFIX/.done" ]; then
			echo "$name"
			return
		fi
	done
	echo san
}

# Run a command as root: directly, or through sudo.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "this step needs root or sudo: $*"
	fi
}

# debian_site LABEL: the mirror of Debian, or of Debian-Security, that the machine itself uses. Which
# suites are taken from there is the caller's to say.
debian_site() {
	# shellcheck disable=SC2016 # apt expands these itself
	apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)' 2>/dev/null |
		awk -F'|' -v label="$1" '$2 == "Debian" && $3 == label { print $1; exit }'
}

# attend LOG COMMAND...: runs a long command with its output in a log and a progress line every ten
# seconds, and sets `status`. It ends with the script: by ^C as well, which the shell would let what runs in
# the background ignore. Not to be called in a condition: a function would not stop at errors there.
attended=''
attend() {
	local log=$1 start=$SECONDS timer ended=''
	shift
	(
		trap - INT QUIT
		if [ "$(type -t "$1")" = function ]; then "$@"; else exec "$@"; fi
	) >"$log" 2>&1 </dev/null &
	attended=$!
	# Wakes up at the end of the command or, for the progress line, by time.
	while true; do
		sleep 10 >/dev/null 2>&1 9>&- &
		timer=$! status=0
		wait -n -p ended "$attended" "$timer" || status=$?
		[ "$ended" = "$timer" ] || break
		printf '    %4d s  %s\n' $((SECONDS - start)) "$(tail -n 1 "$log" | tr -d '\r\0' | cut -c1-90)" >&2
	done
	attended=''
	{ kill "$timer" && wait "$timer"; } 2>/dev/null || true
}

# Ends the command, if there is one. A script with a trap of its own for EXIT calls it there.
end_attended() {
	[ -z "$attended" ] || { kill "$attended" && wait "$attended"; } 2>/dev/null || true
}
trap end_attended EXIT

# step LABEL LOGNAME COMMAND...: attends to a command with its output in a log of the cache. If it fails,
# shows the end of the log and ends the script.
step() {
	local label=$1 log=$CACHE/log/$2.log status
	shift 2
	mkdir -p "$CACHE/log"
	say "$label"
	attend "$log" "$@"
	if [ "$status" != 0 ]; then
		# The log itself may be on that disk.
		if grep -q 'No space left on device' "$log" || [ "$(df --output=avail "$CACHE" | tail -n 1)" -lt 64 ]; then
			die "$label failed: no space is left on the disk, see $log"
		fi
		tail -n 30 "$log" >&2
		die "$label failed (exit $status), the whole log is $log"
	fi
}

# Hold a lock for the rest of the script, so that two runs share one cache.
lock_cache() {
	mkdir -p "$CACHE"
	exec 9>"$CACHE/lock.$1"
	flock -n 9 || {
		say "waiting for another run that is preparing $1"
		flock 9
	}
}
