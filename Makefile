# SPDX-License-Identifier: GPL-2.0
#
# For people: make demo, make test. The kernel's build reads Kbuild instead.

.DEFAULT_GOAL := help
.PHONY: help demo test check setup modules modem test-scripts test-host test-modem test-kunit test-vm clean distclean

help:
	@printf '%s\n' \
	  'make demo      build everything, boot, ping the modem through the driver' \
	  'make test      all tests: host, KUnit in QEMU, VM with the modem process' \
	  'make check     formatting, lints, scripts, unsafe code' \
	  'make modules   build the modules; KDIR=... against your own kernel' \
	  'make test-scripts, test-host, test-modem, test-kunit, test-vm one part' \
	  'make clean     remove what was built; make distclean: and what was fetched'

setup:
	@scripts/toolchain

demo: setup
	@scripts/demo

test: setup
	@tests/run

test-scripts test-host test-modem test-kunit test-vm: test-%: setup
	@tests/run $*

check: setup
	@scripts/check

modem: setup
	@scripts/modem

modules: setup
	@scripts/modules $(if $(KDIR),--kdir "$(KDIR)")

clean:
	@scripts/clean

distclean:
	@scripts/clean --all
