# SPDX-License-Identifier: GPL-2.0
#
# For people: make demo, make test. The kernel's build reads Kbuild instead.

.DEFAULT_GOAL := help
# Of the test machine: x86_64 (the default) or arm64.
ifdef ARCH
export ARCH
endif
PARTS := scripts host modem fuzz interop kunit vm hostile hostile-self-test soak
.PHONY: help demo test test-all check setup modules modem soak fuzz bench bench-profile bench-end-to-end bench-host $(PARTS:%=test-%) clean distclean \
	test-intree install docs

help:
	@printf '%s\n' \
	  'make demo      build everything, boot, ping the modem through the driver' \
	  'make test      each case once: host, KUnit in QEMU, VM with the modem process' \
	  'make test-all  everything there is, for a release: hours, and can be interrupted' \
	  'make test ARCH=arm64  KUnit and VM tests on a machine of arm64' \
	  'make soak      a thousand crashes, rebinds and so on, with the modem process' \
	  'make fuzz      ten minutes of fuzzing for each target' \
	  'make bench     instructions per frame, beside those of the original C driver' \
	  'make bench-profile  where those of an interrupt go, by what they belong to' \
	  'make bench-end-to-end  ping, UDP and TCP through the modem process, beside the C driver and virtio-net' \
	  'make bench-host  time per chain of the ring alone, beside virtio-queue and vringh.c' \
	  'make check     formatting, lints, scripts, unsafe code' \
	  'make modules   build the modules; KDIR=... against your own kernel' \
	  'make test-PART one part of the tests: $(PARTS)' \
	  'make test-intree  the driver as part of the kernel, with its own KUnit tool;' \
	  '               with ARCH=arm64 that tool on a machine of arm64' \
	  'make docs      render what the driver'\''s sources say of themselves' \
  'make install   install the modules; KDIR=..., DESTDIR=...' \
	  'make clean     remove what was built; make distclean: and what was fetched'

setup:
	@scripts/toolchain

demo: setup
	@scripts/demo

test: setup
	@tests/run

test-all: setup
	@ARCH=arm64 scripts/toolchain
	@tests/run --all --resume

$(PARTS:%=test-%): test-%: setup
	@tests/run $*

soak: setup
	@tests/soak/run

fuzz: setup
	@tests/fuzz/run --long

bench: setup
	@bench/run

bench-profile: setup
	@bench/profile

bench-end-to-end: setup
	@bench/end-to-end

bench-host: setup
	@bench/host/run

check: setup
	@scripts/check

modem: setup
	@scripts/modem

modules: setup
	@scripts/modules $(if $(KDIR),--kdir "$(KDIR)")

test-intree: setup
	@tests/intree/run --full

docs: setup
	@scripts/docs

install: setup
	@scripts/install $(if $(KDIR),--kdir "$(KDIR)") $(if $(DESTDIR),--destdir "$(DESTDIR)")

clean:
	@scripts/clean

distclean:
	@scripts/clean --all
