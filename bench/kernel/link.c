// SPDX-License-Identifier: GPL-2.0
/*
 * Lets the original driver use the board's link to a modem process.
 *
 * That driver expects operations which no transport ever had, and takes the modem's addresses for those
 * of RAM. So the virtio device gets these operations, and the board's memory gets pages and a place in
 * the linear map as RAM has them. For a driver that does not ask for rings of vringh nothing changes.
 */
#include <linux/memremap.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/remoteproc.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/vringh.h>

/* Where the modem takes its memory to be. The original driver knows no other kind of addresses. */
#define DEVICE_BASE 0x80000000
#define VENDOR 0x1af4
#define BOARD 0x1110
#define BAR 2
#define ALIGN_BELL 64

static struct {
	struct pci_dev *board;
	struct dev_pagemap pages;
	struct virtio_device *vdev;
	const struct virtio_config_ops *remoteproc;
	struct virtio_config_ops ops;
	/* The rings of the original driver while it is bound. */
	struct virtqueue *rx, *tx, *bell;
	struct vringh vrh;
	vrh_callback_t *callback;
} link;

/* Without news virtio does not call back, and the news of a reversed ring is not what it looks for. */
static u8 bell_memory[PAGE_SIZE] __aligned(PAGE_SIZE);

static void ignore(struct virtqueue *vq)
{
}

static bool ring_nobody(struct virtqueue *vq)
{
	return true;
}

static void call_driver(struct virtqueue *bell)
{
	link.callback(link.vdev, &link.vrh);
}

static void kick_rx(struct vringh *vrh)
{
	virtqueue_notify(link.rx);
}

static struct virtqueue *bell_new(struct virtio_device *vdev)
{
	struct vring vring;

	vring_init(&vring, 2, bell_memory, ALIGN_BELL);
	vring.used->idx = cpu_to_virtio16(vdev, 1);
	return vring_new_virtqueue(2, vring.num, ALIGN_BELL, vdev, true, false, bell_memory,
				   ring_nobody, call_driver, "bell");
}

static void del_vqs(struct virtio_device *vdev)
{
	link.remoteproc->del_vqs(vdev);
	link.rx = NULL;
	link.tx = NULL;
	link.bell = NULL;
}

static int find_vrhs(struct virtio_device *vdev, unsigned int count, struct vringh *vrhs[],
		     vrh_callback_t *callbacks[])
{
	struct virtqueue_info infos[] = { { "input", ignore }, { "output", ignore } };
	struct virtqueue *vqs[ARRAY_SIZE(infos)];
	const struct vring *vring;
	int err;

	if (count != 1)
		return -EINVAL;
	err = link.remoteproc->find_vqs(vdev, ARRAY_SIZE(vqs), vqs, infos, NULL);
	if (err)
		return err;
	link.rx = vqs[0];
	link.tx = vqs[1];
	vring = virtqueue_get_vring(link.rx);
	err = vringh_init_kern(&link.vrh, vdev->features, vring->num, false, vring->desc,
			       vring->avail, vring->used);
	if (err)
		goto del;
	err = -ENOMEM;
	link.bell = bell_new(vdev);
	if (!link.bell)
		goto del;
	link.bell->priv = link.rx->priv;
	link.vrh.notify = kick_rx;
	link.callback = callbacks[0];
	vrhs[0] = &link.vrh;
	return 0;
del:
	del_vqs(vdev);
	return err;
}

static int find_vqs(struct virtio_device *vdev, unsigned int count, struct virtqueue *vqs[],
		    struct virtqueue_info infos[], struct irq_affinity *affinity)
{
	if (!link.tx)
		return link.remoteproc->find_vqs(vdev, count, vqs, infos, affinity);
	if (count != 1)
		return -EINVAL;
	link.tx->callback = infos[0].callback;
	vqs[0] = link.tx;
	return 0;
}

/* They go with the virtqueues. */
static void del_vrhs(struct virtio_device *vdev)
{
}

static const struct vringh_config_ops vringh_ops = {
	.find_vrhs = find_vrhs,
	.del_vrhs = del_vrhs,
};

/* The driver is not called before it is ready, and the modem learns of its status with a kick. */
static void set_status(struct virtio_device *vdev, u8 status)
{
	link.remoteproc->set_status(vdev, status);
	if (link.bell && status & VIRTIO_CONFIG_S_DRIVER_OK) {
		struct rproc_vring *rvring = link.rx->priv;

		WRITE_ONCE(rvring->vq, link.bell);
		virtqueue_notify(link.rx);
	}
}

/* Nor is it called any more afterwards. */
static void reset(struct virtio_device *vdev)
{
	link.remoteproc->reset(vdev);
	if (link.bell) {
		struct rproc_vring *rx = link.rx->priv, *tx = link.tx->priv;

		WRITE_ONCE(rx->vq, NULL);
		WRITE_ONCE(tx->vq, NULL);
		synchronize_rcu();
		virtqueue_notify(link.rx);
	}
}

static int find_virtio(struct device *dev, void *found)
{
	if (!dev->bus || strcmp(dev->bus->name, "virtio"))
		return device_for_each_child(dev, found, find_virtio);
	*(struct virtio_device **)found = dev_to_virtio(get_device(dev));
	return 1;
}

static int map_as_ram(void)
{
	struct range *range = &link.pages.range;

	range->start = pci_resource_start(link.board, BAR);
	range->end = pci_resource_end(link.board, BAR);
	if (range->start != DEVICE_BASE) {
		pci_err(link.board, "BAR %d is at %#llx, not where the modem takes it to be, %#x\n",
			BAR, range->start, DEVICE_BASE);
		return -ENXIO;
	}
	link.pages.nr_range = 1;
	link.pages.type = MEMORY_DEVICE_GENERIC;
	return PTR_ERR_OR_ZERO(memremap_pages(&link.pages, NUMA_NO_NODE));
}

static int __init link_init(void)
{
	int err = -ENODEV;

	link.board = pci_get_device(VENDOR, BOARD, NULL);
	if (!link.board || !device_for_each_child(&link.board->dev, &link.vdev, find_virtio))
		goto put;
	err = map_as_ram();
	if (err)
		goto put_vdev;
	link.remoteproc = link.vdev->config;
	link.ops = *link.remoteproc;
	link.ops.find_vqs = find_vqs;
	link.ops.del_vqs = del_vqs;
	link.ops.set_status = set_status;
	link.ops.reset = reset;
	link.vdev->config = &link.ops;
	link.vdev->vringh_config = &vringh_ops;
	return 0;
put_vdev:
	put_device(&link.vdev->dev);
put:
	pci_dev_put(link.board);
	return err;
}
module_init(link_init);

MODULE_DESCRIPTION("What the original caif_virtio driver needs of a transport");
MODULE_LICENSE("GPL");
