# SPDX-License-Identifier: GPL-2.0
"""What the driver and remoteproc want of a modem's memory regions, beyond the bindings."""

import sys

import libfdt

NUM, ALIGN, PAGE = 256, 4096, 65536
with open(sys.argv[1], "rb") as file:
    tree = libfdt.FdtRo(file.read())
modem = tree.path_offset("/remoteproc-cm7")
cells = tree.getprop(modem, "memory-region").as_uint32_list()

regions = []
for phandle in cells:
    node = tree.node_offset_by_phandle(phandle)
    high, start, long, size = tree.getprop(node, "reg").as_uint32_list()
    name = tree.get_name(node).split("@")[0]
    # Device addresses have 32 bits in remoteproc.
    assert high == 0 and long == 0, f"{name} is not below 4 GiB"
    assert tree.hasprop(node, "no-map"), f"{name} has a cached alias: no-map is missing"
    regions.append((start, start + size, name))

names = [name for _, _, name in regions]
# Without a carveout of that name, remoteproc takes the first region for the pool.
assert names[0] == "vdev0buffer", f"the first region is {names[0]}"
pool = tree.node_offset_by_phandle(cells[0])
assert tree.getprop(pool, "compatible").as_str() == "shared-dma-pool", "the pool is none"
for vring in ("vdev0vring0", "vdev0vring1"):
    start, end, _ = regions[names.index(vring)]
    used = -(-(16 * NUM + 2 * (3 + NUM)) // ALIGN) * ALIGN
    # Of whole pages, the largest that Linux has.
    need = -(-(used + 2 * 3 + 8 * NUM) // PAGE) * PAGE
    assert start % ALIGN == 0, f"{vring} begins at {start:#x}, not at a multiple of {ALIGN}"
    assert end - start >= need, f"{vring} has {end - start} bytes, {need} are needed"
    assert (end - start) % PAGE == 0, f"{vring} has {end - start} bytes, not whole pages of {PAGE}"
assert set(names) - {"vdev0buffer", "vdev0vring0", "vdev0vring1", "rsc-table"}, "no region for frames"
regions.sort()
for (_, end, low), (start, _, high) in zip(regions, regions[1:]):
    assert end <= start, f"{low} and {high} overlap"
