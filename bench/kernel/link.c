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
#include <linux/pci.h>

#include "vringh_transport.h"

/* Device address of the modem's memory, which the original driver uses as a physical one. */
#define DEVICE_BASE 0x80000000
#define VENDOR 0x1af4
#define BOARD 0x1110
#define BAR 2

static struct dev_pagemap pages;
static struct vringh_transport transport;

static int find_virtio(struct device *dev, void *found)
{
	if (!dev->bus || strcmp(dev->bus->name, "virtio"))
		return device_for_each_child(dev, found, find_virtio);
	*(struct virtio_device **)found = dev_to_virtio(get_device(dev));
	return 1;
}

static int map_as_ram(struct pci_dev *board)
{
	pages.range.start = pci_resource_start(board, BAR);
	pages.range.end = pci_resource_end(board, BAR);
	if (pages.range.start != DEVICE_BASE) {
		pci_err(board, "BAR %d is at %#llx, not where the modem takes it to be, %#x\n", BAR,
			pages.range.start, DEVICE_BASE);
		return -ENXIO;
	}
	pages.nr_range = 1;
	pages.type = MEMORY_DEVICE_GENERIC;
	return PTR_ERR_OR_ZERO(memremap_pages(&pages, NUMA_NO_NODE));
}

/* Prepares the link. The references are never released: the module cannot be removed. */
static int __init link_init(void)
{
	struct pci_dev *board = pci_get_device(VENDOR, BOARD, NULL);
	struct virtio_device *vdev = NULL;
	int err = -ENODEV;

	if (!board || !device_for_each_child(&board->dev, &vdev, find_virtio))
		goto put;
	err = map_as_ram(board);
	if (err)
		goto put_vdev;
	vringh_transport_offer(&transport, vdev);
	return 0;
put_vdev:
	put_device(&vdev->dev);
put:
	pci_dev_put(board);
	return err;
}
module_init(link_init);

MODULE_DESCRIPTION("The board's link as the original caif_virtio driver needs it");
MODULE_LICENSE("GPL");
