// SPDX-License-Identifier: GPL-2.0
/*
 * A remote processor of plain memory to which Linux attaches, with one CAIF link.
 *
 * It serves either driver in the same way. Device addresses are physical ones, because the original
 * driver supports no others.
 */
#include <linux/device/faux.h>
#include <linux/if_arp.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include "modem.h"

#define ALIGN_VRING 4096U
#define TABLE_LEN 4096U

/* Exported to platform drivers, but declared only in a header of drivers/remoteproc/. */
irqreturn_t rproc_vq_interrupt(struct rproc *rproc, int vq_id);

/* The resource table. */
struct table {
	struct resource_table head;
	u32 offset;
	u32 type;
	struct fw_rsc_vdev vdev;
	struct fw_rsc_vdev_vring vring[2];
	struct direction {
		u16 headroom, tailroom;
		u32 mtu;
		u8 reserved[4];
	} __packed direction[2];
	u8 reserved[8];
} __packed;

static size_t vring_room(unsigned int num)
{
	return PAGE_ALIGN(vring_size(num, ALIGN_VRING));
}

static struct rproc_mem_entry *carveout(struct bench_modem *modem, const char *name, size_t at,
					size_t len)
{
	phys_addr_t phys = virt_to_phys(modem->memory + at);

	return rproc_mem_entry_init(modem->parent, modem->memory + at, phys, len, phys, NULL, NULL,
				    "%s", name);
}

static int prepare(struct rproc *rproc)
{
	struct bench_modem *modem = *(struct bench_modem **)rproc->priv;
	size_t room = vring_room(modem->num);
	struct rproc_mem_entry *parts[] = {
		carveout(modem, "vdev0vring0", TABLE_LEN, room),
		carveout(modem, "vdev0vring1", TABLE_LEN + room, room),
		carveout(modem, "heap", modem->heap, modem->size - modem->heap),
	};

	for (int i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!parts[i])
			return -ENOMEM;
		rproc_add_carveout(rproc, parts[i]);
	}
	return 0;
}

static struct resource_table *loaded_table(struct rproc *rproc, size_t *size)
{
	struct bench_modem *modem = *(struct bench_modem **)rproc->priv;

	*size = sizeof(struct table);
	return modem->memory;
}

static int nothing(struct rproc *rproc)
{
	return 0;
}

static void kick(struct rproc *rproc, int id)
{
	struct bench_modem *modem = *(struct bench_modem **)rproc->priv;

	if (id == 0) {
		modem->rx.kicks++;
	} else {
		modem->tx.kicks++;
		bench_control_kick(modem);
	}
}

static const struct rproc_ops ops = {
	.prepare = prepare,
	.attach = nothing,
	.detach = nothing,
	.stop = nothing,
	.kick = kick,
	.get_loaded_rsc_table = loaded_table,
};

static void write_table(struct bench_modem *modem)
{
	struct table *table = modem->memory;

	BUILD_BUG_ON(sizeof(struct table) > TABLE_LEN);
	table->head.ver = 1;
	table->head.num = 1;
	table->offset = offsetof(struct table, type);
	table->type = RSC_VDEV;
	table->vdev.id = VIRTIO_ID_CAIF;
	table->vdev.dfeatures = modem->event_idx ? BIT(VIRTIO_RING_F_EVENT_IDX) : 0;
	table->vdev.config_len = sizeof(table->direction) + sizeof(table->reserved);
	table->vdev.num_of_vrings = 2;
	for (int i = 0; i < 2; i++) {
		table->vring[i].da = FW_RSC_ADDR_ANY;
		table->vring[i].align = ALIGN_VRING;
		table->vring[i].num = modem->num;
		table->direction[i].headroom = BENCH_ROOM;
		table->direction[i].tailroom = BENCH_ROOM;
		table->direction[i].mtu = BENCH_MTU;
	}
}

static int any_device(struct device *dev, const void *data)
{
	return 1;
}

static int attach(struct bench_modem *modem)
{
	struct rproc_vdev *rvdev;
	struct device *child;
	int err;

	modem->rproc->state = RPROC_DETACHED;
	modem->rproc->auto_boot = false;
	err = rproc_add(modem->rproc);
	if (err)
		return err;
	err = rproc_boot(modem->rproc);
	if (err)
		goto del;
	rvdev = list_first_entry_or_null(&modem->rproc->rvdevs, struct rproc_vdev, node);
	child = rvdev ? device_find_child(&rvdev->pdev->dev, NULL, any_device) : NULL;
	if (!child) {
		err = -ENODEV;
		goto detach;
	}
	modem->vdev = dev_to_virtio(child);
	vringh_transport_offer(&modem->transport, modem->vdev);
	return 0;
detach:
	rproc_detach(modem->rproc);
del:
	rproc_del(modem->rproc);
	return err;
}

struct bench_modem *bench_modem_new(unsigned int index, unsigned int num, bool event_idx)
{
	char name[16];
	struct bench_modem *modem = kzalloc(sizeof(*modem), GFP_KERNEL);
	struct faux_device *parent;
	int err = -ENOMEM;

	if (!modem)
		return ERR_PTR(err);
	snprintf(name, sizeof(name), "caif-bench%u", index);
	modem->channels = 1;
	bench_control_init(modem);
	modem->num = num;
	modem->event_idx = event_idx;
	modem->heap = TABLE_LEN + 2 * vring_room(num);
	modem->size = modem->heap + PAGE_ALIGN(min(num, BENCH_BUFFERS) * BENCH_STRIDE);
	modem->memory = alloc_pages_exact(modem->size, GFP_KERNEL | GFP_DMA32 | __GFP_ZERO);
	if (!modem->memory)
		goto free;
	write_table(modem);
	err = -ENODEV;
	parent = faux_device_create(name, NULL, NULL);
	if (!parent)
		goto free_pages;
	modem->parent = &parent->dev;
	err = -ENOMEM;
	modem->rproc = rproc_alloc(modem->parent, name, &ops, NULL, sizeof(modem));
	if (!modem->rproc)
		goto destroy;
	*(struct bench_modem **)modem->rproc->priv = modem;
	err = attach(modem);
	if (!err)
		return modem;
	rproc_free(modem->rproc);
destroy:
	faux_device_destroy(parent);
free_pages:
	free_pages_exact(modem->memory, modem->size);
free:
	kfree(modem);
	return ERR_PTR(err);
}

void bench_modem_free(struct bench_modem *modem)
{
	bench_control_answer(modem, false);
	put_device(&modem->vdev->dev);
	rproc_detach(modem->rproc);
	rproc_del(modem->rproc);
	rproc_free(modem->rproc);
	faux_device_destroy(to_faux_device(modem->parent));
	free_pages_exact(modem->memory, modem->size);
	kfree(modem);
}

void bench_modem_reset(struct bench_modem *modem)
{
	void *first = modem->memory + TABLE_LEN, *second = first + vring_room(modem->num);

	memset(&modem->rx, 0, sizeof(modem->rx));
	memset(&modem->tx, 0, sizeof(modem->tx));
	vring_init(&modem->rx.vring, modem->num, first, ALIGN_VRING);
	vring_init(&modem->tx.vring, modem->num, second, ALIGN_VRING);
	modem->interrupts = 0;
	modem->desc = 0;
	modem->link_id = 0;
}

struct net_device *bench_modem_netdev(struct bench_modem *modem)
{
	struct net_device *dev;

	/* The original driver sets no parent for its network device. */
	for_each_netdev(&init_net, dev)
		if (dev->type == ARPHRD_CAIF &&
		    (dev->dev.parent == &modem->vdev->dev || !dev->dev.parent))
			return dev;
	return NULL;
}

/* Returns the number of the next descriptor, which has a buffer of its own, and that buffer. */
static u16 next_buffer(struct bench_modem *modem, unsigned int len, void **frame)
{
	u16 index = modem->desc++ & (modem->num - 1);
	struct vring_desc *desc = &modem->rx.vring.desc[index];
	size_t at = modem->heap + index % min(modem->num, BENCH_BUFFERS) * BENCH_STRIDE;

	desc->addr = virt_to_phys(modem->memory + at);
	desc->len = len + 2 * BENCH_ROOM;
	desc->flags = 0;
	desc->next = 0;
	*frame = modem->memory + at + BENCH_ROOM;
	return index;
}

void bench_modem_fill(struct bench_modem *modem, unsigned int frames, unsigned int chain,
		      unsigned int payload)
{
	struct vring *vring = &modem->rx.vring;
	u16 mask = modem->num - 1;

	for (unsigned int i = 0; i < frames; i++) {
		void *frame;
		u16 index = next_buffer(modem, payload, &frame);

		*(u8 *)frame = index % modem->channels;
		if (i % chain != chain - 1) {
			vring->desc[index].flags = VRING_DESC_F_NEXT;
			vring->desc[index].next = modem->desc & mask;
		}
		if (i % chain == 0)
			vring->avail->ring[modem->rx.next++ & mask] = index;
	}
	smp_store_release(&vring->avail->idx, modem->rx.next);
}

void bench_modem_put(struct bench_modem *modem, unsigned int len,
		     void (*write)(void *frame, unsigned int len, void *data), void *data)
{
	struct vring *vring = &modem->rx.vring;
	void *frame;
	u16 index = next_buffer(modem, len, &frame);

	write(frame, len, data);
	vring->avail->ring[modem->rx.next++ & (modem->num - 1)] = index;
	smp_store_release(&vring->avail->idx, modem->rx.next);
}

void bench_modem_interrupt_rx(struct bench_modem *modem)
{
	unsigned long flags;

	modem->interrupts++;
	/* As in an interrupt handler. */
	local_irq_save(flags);
	rproc_vq_interrupt(modem->rproc, 0);
	local_irq_restore(flags);
}

bool bench_modem_rx_done(struct bench_modem *modem)
{
	return READ_ONCE(modem->rx.vring.used->idx) == modem->rx.next;
}

unsigned int bench_modem_return(struct bench_modem *modem)
{
	struct bench_ring *tx = &modem->tx;
	struct vring *vring = &tx->vring;
	u16 mask = modem->num - 1, idx = smp_load_acquire(&vring->avail->idx);
	unsigned int count = 0;

	for (; tx->seen != idx; tx->seen++, tx->next++, count++) {
		vring->used->ring[tx->next & mask].id = vring->avail->ring[tx->seen & mask];
		vring->used->ring[tx->next & mask].len = 0;
	}
	smp_store_release(&vring->used->idx, tx->next);
	if (modem->event_idx)
		vring_avail_event(vring) = idx;
	return count;
}

bool bench_modem_wants_tx(struct bench_modem *modem, unsigned int returned)
{
	struct bench_ring *tx = &modem->tx;

	smp_mb();
	if (!modem->event_idx)
		return !(READ_ONCE(tx->vring.avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	return vring_need_event(vring_used_event(&tx->vring), tx->next, tx->next - returned);
}

void bench_modem_interrupt_tx(struct bench_modem *modem)
{
	unsigned long flags;

	modem->interrupts++;
	local_irq_save(flags);
	rproc_vq_interrupt(modem->rproc, 1);
	local_irq_restore(flags);
}
