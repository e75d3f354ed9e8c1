# SPDX-License-Identifier: GPL-2.0
#
# For people: make demo, make test. The kernel's build reads Kbuild instead.
#
# What make help prints is in here: groups in lines that begin with ##, and behind the
# ## of a target, or in a line of its own, what it does.

.DEFAULT_GOAL := help
# Of the test machine: x86_64 (the default) or arm64.
ifdef ARCH
export ARCH
endif
# The parts of make test that have cases, of their own table; these have more to do here.
PARTS := $(filter-out intree clients,$(shell awk -F'"' '/^        name: / { name = $$2; short = 0; cases = 1 } \
	/^        short: Some/ { short = 1 } /^        cases: false/ { cases = 0 } \
	/^    },/ && short && cases { print name; short = 0 }' tests/harness/src/suite/parts.rs))
# The kernels of Debian that are parts of make test-all.
DISTRO := $(shell sed -nE 's|.*"tests/distro/machine", "(.*)".*|\1|p' tests/harness/src/suite/parts.rs)
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.* \#\# .*/\1/p' $(firstword $(MAKEFILE_LIST))) $(PARTS:%=test-%)

## For people
setup: ## install what the machine lacks; the other targets do so by themselves
	@scripts/toolchain --quiet

demo: setup ## build everything, boot, ping the modem, crash it and see it come back
	@scripts/demo

# Modules and tools take an older Rust than the tests. Who has a packaged kernel, without its Rust crates, has
# the compilers from packages as well.
SETUP := @scripts/toolchain --quiet --for-modules
SETUP_FOR_KDIR := $(if $(KDIR),$(if $(wildcard $(KDIR)/rust),$(SETUP)),$(SETUP))
modules: ## build the modules; KDIR=... against your own kernel
	$(SETUP_FOR_KDIR)
	@scripts/modules $(if $(KDIR),--kdir "$(KDIR)")

modem: setup ## build the modem's programs
	@scripts/modem

tools: ## build caifctl and caif-modeminit, with manual pages and completion
	$(SETUP)
	@scripts/tools

docs: setup ## render what the driver's sources say of themselves
	@scripts/docs

help: ## print this
	@awk 'function entry(name, text,   words, n, i, line) { \
		n = split(text, words, " "); line = sprintf("  make %-20s", name); \
		for (i = 1; i <= n; i++) { \
			if (length(line " " words[i]) > 80) { print line; line = sprintf("  %-25s", "") } \
			line = line " " words[i] } \
		print line } \
	/^## [a-zA-Z-]+: / { name = $$2; sub(/:$$/, "", name); sub(/^[^:]*: /, ""); entry(name, $$0); next } \
	/^## / { printf "%s%s\n", seen++ ? "\n" : "", substr($$0, 4); next } \
	/^[a-z-]+:.* ## / { name = $$1; sub(/:.*/, "", name); sub(/.* ## /, ""); entry(name, $$0) }' \
		$(firstword $(MAKEFILE_LIST))

## Tests
test: setup ## each case once, on the host and in QEMU; with ARCH=arm64 KUnit and VM tests on a machine of arm64
	@tests/run

test-all: setup ## everything there is, for a release: hours; interrupted, it goes on from there
	@scripts/toolchain --quiet --kernels
	@tests/run --all --resume

## test-PART: one part of make test, as tests/run --list names them; tests/run --all PART runs one of make test-all
$(PARTS:%=test-%): test-%: setup
	@tests/run $*

test-kernels: setup ## KUnit and the demo on kernels of other compilers, pages, scheduling and machines
	@tests/kernels/run

test-clients: setup ## Debian's oFono, ConnMan, ModemManager, networkd and others through the modem, with the cases that take longer
	@tests/clients/run --long

test-wireshark: setup ## the dissector of tools/wireshark, by Debian's tshark
	@tests/wireshark/run

test-distro: setup ## Debian's own kernels for arm64, each with the demo and a hostile modem; DKMS, packages, and what must be refused
	@tests/run --all --resume distro $(DISTRO)

test-soc: setup ## the machine of arm64 whose modem is in the SoC: VM tests, demo, a hostile modem, device tree
	@tests/run --all --resume soc soc-machine soc-devicetree

test-intree: setup ## driver and stack as part of the kernel, with its own KUnit tool; with ARCH=arm64 that tool on a machine of arm64, and the modules
	@tests/intree/run --full

soak: setup ## a thousand crashes, rebinds and so on, with the modem process
	@tests/soak/run

fuzz: setup ## ten minutes of fuzzing for each target
	@tests/fuzz/run --long

mutants: setup ## put faults into the sources, name the test that catches each
	@tests/mutants/run

## Benches
bench: setup ## instructions per frame, beside those of the original C driver
	@bench/run

bench-profile: setup ## where the instructions of an interrupt go, by what they belong to
	@bench/profile

bench-end-to-end: setup ## ping, UDP, TCP and iperf3 through the modem process, beside driver and stack in C, and virtio-net
	@bench/end-to-end

bench-end-to-end-soc: setup ## the same on the machine of arm64 whose modem is in the SoC
	@bench/end-to-end --soc

bench-host: setup ## time per chain of the ring alone, beside virtio-queue and vringh.c
	@bench/host/run

## Checks
check: setup ## formatting, lints, scripts, unsafe code, commit messages
	@scripts/check

## Installing and removing
install: ## install the modules; KDIR=..., DESTDIR=...
	$(SETUP_FOR_KDIR)
	@scripts/install $(if $(KDIR),--kdir "$(KDIR)") $(if $(DESTDIR),--destdir "$(DESTDIR)")

uninstall: ## remove the modules that make install has installed; KDIR=..., DESTDIR=...
	@scripts/install --remove $(if $(KDIR),--kdir "$(KDIR)") $(if $(DESTDIR),--destdir "$(DESTDIR)")

deb: ## build Debian packages of the modules, for DKMS, and of the tools
	$(SETUP)
	@scripts/deb

clean: ## remove what was built
	@scripts/clean

distclean: ## remove what was built and what was fetched
	@scripts/clean --all
