# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Which files are what: each list of files that scripts need is made here, from Kbuild
# and from the folders. Sourced, after lib.sh. The functions print paths in the
# checkout, one a line; it need not be one of git.

# The folders beside the root that belong to the kernel.
KERNEL_FOLDERS=(abstractions boards caif remoteproc_glue tests/kunit)

# The modules, a line each: the name, and the symbol that Kconfig has for it.
kernel_modules() { sed -nE 's/^obj-\$\(CONFIG_([A-Z0-9_]+)\) \+= (.*)\.o$/\2 \1/p' "$TOP/Kbuild"; }

# The crate root of each module: what of its objects is in Rust.
crate_roots() {
	local objects object
	while read -ra objects; do
		for object in "${objects[@]}"; do
			if [ -f "$TOP/${object%.o}.rs" ]; then echo "${object%.o}.rs"; fi
		done
	done < <(awk '{ line = line $0 } /\\$/ { sub(/\\$/, "", line); next }
		line ~ /^[a-z-]+-y [+:]?= / { sub(/^[^=]*=/, "", line); print line } { line = "" }' "$TOP/Kbuild")
}

# The driver without its abstractions: the root, and what stands between it and remoteproc.
driver_files() { (cd "$TOP" && find ./*.rs remoteproc_glue -name '*.rs' | sed 's|^\./||' | LC_ALL=C sort); }

# What crates of the kernel mount from outside of its folders, by #[path]: a file, and the
# folder of its modules, or a folder.
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

# What does not use the kernel crate and is built for user space as well: the files that the crate
# kernel-pure mounts, and the codec.
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

# All that the kernel builds and reads, of sources, and the kernel's documentation.
kernel_sources() {
	(
		cd "$TOP" || exit
		find . -maxdepth 1 -type f \( -name '*.rs' -o -name '*.[ch]' -o -name Kbuild -o -name Kconfig -o -name .kunitconfig \)
		find "${KERNEL_FOLDERS[@]}" -type f \( -name '*.rs' -o -name '*.[ch]' -o -name bindgen_parameters \) ! -name bindings_generated.rs
		mounted_files
	) | sed 's|^\./||' | LC_ALL=C sort -u
}
kernel_documents() { (cd "$TOP" && find Documentation -type f -name '*.md' | LC_ALL=C sort); }

# The scripts, for shellcheck.
shell_scripts() { git -C "$TOP" grep -lE '^#!/(usr/bin/env bash|bin/(ba)?sh)|^# shellcheck shell=bash' -- ':!*.rs' ':!*.md'; }
