// SPDX-License-Identifier: GPL-2.0
/*
 * Lets the original driver use the board's link to a modem process.
 *
 * That driver treats the modem's addresses as physical addresses of RAM. So the board's memory gets
 * pages and a place in the linear map, and the virtio device gets the rings of vringh that it asks
 * for.
 */
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/of_platform.h>
#include <linux/of_reserved_mem.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

#include "vringh_transport.h"

/* Device address of the modem's memory, which the original driver uses as a physical one. */
#define DEVICE_BASE 0x80000000
#define VENDOR 0x1af4
#define BOARD 0x1110
#define BAR 2
#define SOC_BOARD "linux,caif-virt-modem"

static struct dev_pagemap pages;
static struct vringh_transport transport;

static int find_virtio(struct device *dev, void *found)
{
	if (!dev->bus || strcmp(dev->bus->name, "virtio"))
		return device_for_each_child(dev, found, find_virtio);
	*(struct virtio_device **)found = dev_to_virtio(get_device(dev));
	return 1;
}

/* Returns the modem in the SoC, and sets the range that its reserved regions take together. */
static struct device *find_soc_board(struct range *memory)
{
	struct device_node *node = of_find_compatible_node(NULL, NULL, SOC_BOARD);
	struct platform_device *board = of_find_device_by_node(node);
	struct resource region;
	int i;

	memory->start = U64_MAX;
	memory->end = 0;
	for (i = 0; board && !of_reserved_mem_region_to_resource(node, i, &region); i++) {
		memory->start = min(memory->start, (u64)region.start);
		memory->end = max(memory->end, (u64)region.end);
	}
	of_node_put(node);
	return board ? &board->dev : NULL;
}

/* Returns the board with a reference, and sets where the modem's memory is. */
static struct device *find_board(struct range *memory)
{
	struct pci_dev *board = pci_get_device(VENDOR, BOARD, NULL);

	if (!board)
		return find_soc_board(memory);
	memory->start = pci_resource_start(board, BAR);
	memory->end = pci_resource_end(board, BAR);
	return &board->dev;
}

static int map_as_ram(struct device *board, const struct range *memory)
{
	if (memory->start != DEVICE_BASE) {
		dev_err(board, "the memory is at %#llx, not where the modem takes it to be, %#x\n",
			memory->start, DEVICE_BASE);
		return -ENXIO;
	}
	pages.range = *memory;
	pages.nr_range = 1;
	pages.type = MEMORY_DEVICE_GENERIC;
	return PTR_ERR_OR_ZERO(memremap_pages(&pages, NUMA_NO_NODE));
}

/* Prepares the link. The references are never released: the module cannot be removed. */
static int __init link_init(void)
{
	struct range memory;
	struct device *board = find_board(&memory);
	struct virtio_device *vdev = NULL;
	int err = -ENODEV;

	if (!board || !device_for_each_child(board, &vdev, find_virtio))
		goto put;
	err = map_as_ram(board, &memory);
	if (err)
		goto put_vdev;
	vringh_transport_offer(&transport, vdev);
	return 0;
put_vdev:
	put_device(&vdev->dev);
put:
	put_device(board);
	return err;
}
module_init(link_init);

MODULE_DESCRIPTION("The board's link as the original caif_virtio driver needs it");
MODULE_LICENSE("GPL");
