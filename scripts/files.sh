# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Lists of files: each that scripts need is made here, from Kbuild and from the
# folders. Sourced, after lib.sh. The functions print paths in the checkout, one
# a line; git is not needed.

# The folders beside the root that belong to the kernel.
KERNEL_FOLDERS=(abstractions boards caif remoteproc_glue tests/kunit)

# kernel_modules [ARCH]: the modules, or those that a kernel of ARCH can have; a line each: the name, and the
# symbol that Kconfig has for it.
kernel_modules() {
	sed -nE 's/^obj-\$\(CONFIG_([A-Z0-9_]+)\) \+= (.*)\.o$/\2 \1/p' "$TOP/Kbuild" |
		case ${1:-arm64} in arm64) cat ;; *) grep -v ' CAIF_VIRTIO_SOC$' ;; esac
}
# user_modules [ARCH]: the names of these, but for that of the tests.
user_modules() { kernel_modules "$@" | sed -n '/KUNIT/!s/ .*//p'; }

# module_files SUFFIX [MODULE]: the sources with the suffix of all modules, or of one.
module_files() {
	local objects object
	while read -ra objects; do
		for object in "${objects[@]}"; do
			if [ -f "$TOP/${object%.o}$1" ]; then echo "${object%.o}$1"; fi
		done
	done < <(awk -v name="${2:-[a-z-]+}" '{ line = line $0 } /\\$/ { sub(/\\$/, "", line); next }
		line ~ "^" name "-y [+:]?= " { sub(/^[^=]*=/, "", line); print line } { line = "" }' "$TOP/Kbuild")
}
# The crate root of each module. Of a file in C and one in Rust, Kbuild takes that in C.
crate_roots() { module_files .rs | grep -vxF -f <(module_files .c | sed 's/\.c$/.rs/'); }

# crate_files ROOT: the files of a crate of the kernel, by its declarations of modules.
crate_files() (
	cd "$TOP" || exit
	awk '
		# The folder of the modules that a file declares, and the file of one of them.
		function below(file, is_root) {
			if (is_root || file ~ /\/mod\.rs$/) { sub(/\/?[^\/]*$/, "", file); return file }
			sub(/\.rs$/, "", file)
			return file
		}
		function found(dir, name,   file) {
			file = dir "/" name ".rs"
			if ((getline _ <file) < 0) return dir "/" name "/mod.rs"
			close(file)
			return file
		}
		function walk(file, is_root,   line, path, name, dirs, ends, n) {
			print file
			n = 0
			dirs[n] = below(file, is_root)
			while ((getline line <file) > 0) {
				if (line ~ /^ *#\[path = "/) { split(line, quoted, "\""); path = quoted[2]; continue }
				if (n > 0 && line == ends[n]) { n--; continue }
				if (line !~ /^ *(pub(\([a-z]+\))? )?mod [a-z_0-9]+( \{|;)$/) {
					if (line !~ /^ *(#|\/\/|[a-z_, ]*(,|=)|\)\])/) path = ""
					continue
				}
				name = line
				sub(/^.*mod /, "", name)
				if (name ~ /;$/) {
					sub(/;$/, "", name)
					if (path) walk(below(file, 1) "/" path, 1)
					else walk(found(dirs[n], name), 0)
				} else {
					sub(/ \{$/, "", name)
					dirs[n + 1] = path ? dirs[n] "/" path : dirs[n] "/" name
					n++
					ends[n] = line
					sub(/[^ ].*$/, "}", ends[n])
				}
				path = ""
			}
			close(file)
		}
		BEGIN { walk("./" ARGV[1], 1) }' "$1" | xargs -d '\n' realpath -m --relative-to=.
)

# The driver without its abstractions: the root and the glue.
driver_files() { (cd "$TOP" && find ./*.rs remoteproc_glue -name '*.rs' | sed 's|^\./||' | LC_ALL=C sort); }

# Files and folders that crates of the kernel mount from elsewhere by #[path].
mounted_files() (
	cd "$TOP" || exit
	{ grep -rHoP '^ *#\[path = "\K[^"]+' --include='*.rs' ./*.rs "${KERNEL_FOLDERS[@]}" || true; } | while IFS=: read -r file path; do
		path=$(realpath -m --relative-to=. "${file%/*}/$path")
		case ${path##*/} in
		lib.rs | mod.rs) find "${path%/*}" -name '*.rs' ;;
		*) find "$path" "${path%.rs}" -name '*.rs' 2>/dev/null || true ;;
		esac
	done
)

# Files without the kernel crate, built for user space as well: those that the crate kernel-pure
# mounts, and the codec.
pure_files() {
	awk '
		/^ *#\[path = "/ { split($0, quoted, "\""); path = quoted[2]; sub(/^(\.\.\/)+/, "", path); next }
		path && /^ *pub mod [a-z_]+;$/ { print path; path = "" }
		path && /^ *pub mod [a-z_]+ \{$/ { folder = path; path = "" }
		folder && /^}/ { folder = "" }
		folder && /^ +pub mod [a-z_]+;$/ { sub(/^ +pub mod /, ""); sub(/;$/, ""); print folder "/" $0 ".rs" }
	' "$TOP/modem/kernel-pure/src/lib.rs"
	(cd "$TOP" && find caif-wire/src/codec -name '*.rs' ! -name mod.rs)
}

# All sources that the kernel's build reads, and the kernel's documentation.
kernel_sources() {
	(
		cd "$TOP" || exit
		find . -maxdepth 1 -type f \( -name '*.rs' -o -name '*.[ch]' -o -name Kbuild -o -name Kconfig -o -name .kunitconfig \)
		find "${KERNEL_FOLDERS[@]}" -type f \( -name '*.rs' -o -name '*.[ch]' -o -name bindgen_parameters \) ! -name bindings_generated.rs
		mounted_files
	) | sed 's|^\./||' | LC_ALL=C sort -u
}
# Leaves out what the kernel's source does not need: what is for older releases of it.
in_tree() { grep -v '^abstractions/compat/'; }
# In the kernel the stack has a folder of its own. Files that it shares with the driver and its tests
# are in both: wrappers that belong into the kernel crate.
stack_sources() {
	{
		crate_files caif/caif.rs
		cd "$TOP" || exit
		find caif -name '*.h'
		find abstractions -maxdepth 1 \( -name '*.h' -o -name bindgen_parameters \)
		find abstractions -mindepth 2 -name '*.h'
		module_files .c caif
	} | in_tree | LC_ALL=C sort -u
}
stack_documents() { kernel_documents | grep '/caif-'; }
# The driver, its board and its tests: all files but those of the stack alone.
driver_sources() {
	local file
	{
		crate_roots | grep -vxF caif/caif.rs | while read -r file; do crate_files "$file"; done
		module_files .c | LC_ALL=C sort | uniq -d
		# C files that another one includes.
		module_files .c caif | while read -r file; do
			if grep -rqF "/$file\"" "$TOP/tests/kunit" --include='*.c'; then echo "$file"; fi
		done
	} | LC_ALL=C sort -u |
		LC_ALL=C comm -13 - <(stack_sources | grep '\.rs$\|\.c$\|^caif/') |
		LC_ALL=C comm -13 - <(kernel_sources | in_tree | grep -vx 'Kbuild\|Kconfig')
}
driver_documents() { kernel_documents | grep -v '/caif-'; }

# kconfig_without FILE SYMBOL...: Kconfig without these symbols.
kconfig_without() {
	awk -v drop=" ${*:2} " '/^config / { skip = index(drop, " " $2 " ") } !skip' "$1" | cat -s |
		sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}
# kbuild_without FILE SYMBOL...: Kbuild without these symbols. Each module has a paragraph there, and
# a line in the paragraph for builds out of tree. What is for older releases goes, too.
kbuild_without() {
	awk -v drop="${*:2}" '
		BEGIN { RS = ""; ORS = "\n\n"; n = split(drop, symbols, " ") }
		{
			if (/\ncaif-older := /) next
			gsub(/ \$\(caif-compat\)/, "")
			for (i = 1; i <= n; i++) {
				if (index($0, "obj-$(CONFIG_" symbols[i] ")")) next
				gsub("CONFIG_" symbols[i] " :=[^\n]*\n", "")
			}
			print
		}' "$1" | sed '$d'
}

# newest_only FILE: a file of Rust without its paragraphs, and conditions, for older releases of Linux.
newest_only() {
	awk 'BEGIN { RS = ""; ORS = "\n\n" } !/(^|\n)#\[cfg\(LINUX_/' "$1" | sed -e '$d' -e '/^#\[cfg(not(LINUX_/d'
}

# What the kernel is documented by: all but what is said of its releases.
kernel_documents() { (cd "$TOP" && find Documentation -type f -name '*.md' ! -name kernels.md | LC_ALL=C sort); }

# The scripts, for shellcheck.
shell_scripts() { git -C "$TOP" grep -lE '^#!/(usr/bin/env bash|bin/(ba)?sh)|^# shellcheck shell=bash' -- ':!*.rs' ':!*.md'; }
