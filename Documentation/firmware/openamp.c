// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A CAIF link on the modem's side, with OpenAMP's virtqueues (from 2020.01).
 *
 * It uses virtqueue.c alone. rproc_virtio_create_vdev() is for one role, and as a driver it writes
 * to the features of the resource table; its create_virtqueues() clears the vrings of a driver.
 * The library must be built with both roles.
 */

#define CAIF_FEATURES (1U << 29)
#include "caif_link.h"

#include <openamp/virtio.h>

/*
 * Linux must never see half of an index. In a packed struct the compiler may store it as two
 * bytes: unpack the structs of virtio_ring.h, whose members are aligned without that.
 */
_Static_assert(_Alignof(struct vring_avail) >= 2 && _Alignof(struct vring_used) >= 2,
	       "an index must be stored by one 16-bit access");

/* Provided by the code for the SoC: the modem's heap, and the slots of Linux (vdev0buffer). */
extern struct metal_io_region *soc_heap_io, *soc_slots_io;

/* virtqueue.c reads only the role and the features of a device. */
static struct virtio_device driver = { .role = VIRTIO_DEV_DRIVER };
static struct virtio_device device = { .role = VIRTIO_DEV_DEVICE };

/* Both are NULL while the link is down. */
static struct virtqueue *to_linux, *from_linux;
/* Chains made available on vring 0, and returned on vring 1. */
static uint16_t sent, returned;
/* The buffers that Linux has, by their descriptor. */
static void *lent[CAIF_NUM];

static void interrupt(struct virtqueue *vq)
{
	soc_interrupt(caif_table.vring[vq->vq_queue_index].notifyid);
}

static struct virtqueue *create(struct virtio_device *role, uint16_t number,
				struct metal_io_region *io)
{
	volatile struct caif_vring *vring = &caif_table.vring[number];
	struct vring_alloc_info info = {
		.vaddr = soc_map(vring->da),
		.align = CAIF_ALIGN,
		.num_descs = CAIF_NUM,
	};
	struct virtqueue *vq;

	/* The used ring is found by aligning its address in the modem's own mapping. */
	if ((uintptr_t)info.vaddr % CAIF_ALIGN)
		return NULL;
	vq = virtqueue_allocate(CAIF_NUM);
	if (!vq)
		return NULL;
	if (virtqueue_create(role, number, "caif", &info, NULL, interrupt, vq)) {
		virtqueue_free(vq);
		return NULL;
	}
	virtqueue_set_shmem_io(vq, io);
	return vq;
}

/* Forgets the vrings, without a write to them, and frees the buffers that Linux had. */
static void close_link(void)
{
	virtqueue_free(to_linux);
	virtqueue_free(from_linux);
	to_linux = NULL;
	from_linux = NULL;
	for (size_t i = 0; i < CAIF_NUM; i++) {
		if (lent[i])
			soc_free(lent[i]);
		lent[i] = NULL;
	}
}

static void open_link(void)
{
	sent = 0;
	returned = 0;
	driver.features = caif_table.dfeatures & caif_table.gfeatures;
	device.features = driver.features;
	to_linux = create(&driver, CAIF_TO_LINUX, soc_heap_io);
	from_linux = create(&device, CAIF_FROM_LINUX, soc_slots_io);
	if (!to_linux || !from_linux)
		close_link();
}

/*
 * Returns whether Linux reset the device and was ready again before the modem checked: then the
 * modem's indices differ from those that it wrote.
 */
static bool was_cleared(void)
{
	volatile struct vring_avail *avail = to_linux->vq_ring.avail;
	volatile struct vring_used *used = from_linux->vq_ring.used;

	return avail->idx != sent || used->idx != returned;
}

static bool is_up(void)
{
	return to_linux && caif_ready() && !was_cleared();
}

/* Takes back the buffers that Linux has used. */
static void reclaim(void)
{
	void **place;

	do {
		while ((place = virtqueue_get_buffer(to_linux, NULL, NULL))) {
			soc_free(*place);
			*place = NULL;
		}
	} while (is_up() && virtqueue_enable_cb(to_linux));
}

/*
 * Returns whether Linux sent something. The library has no barrier between the index and the
 * entries that it publishes.
 */
static bool has_slot(void)
{
	volatile struct vring_avail *avail = from_linux->vq_ring.avail;

	if (avail->idx == from_linux->vq_available_idx)
		return false;
	atomic_thread_fence(memory_order_acquire);
	return true;
}

/* Handles frames from Linux. Returns slots one by one, in any order, each within 5 s. */
static void receive(void)
{
	uint16_t head;
	uint32_t len;
	uint8_t *slot;

	do {
		while (has_slot() &&
		       (slot = virtqueue_get_available_buffer(from_linux, &head, &len))) {
			if (len > CAIF_HEADROOM + CAIF_TAILROOM)
				soc_received(slot + CAIF_HEADROOM,
					     len - CAIF_HEADROOM - CAIF_TAILROOM);
			if (!is_up())
				return;
			virtqueue_add_consumed_buffer(from_linux, head, 0);
			returned++;
		}
		if (!is_up())
			return;
		virtqueue_kick(from_linux);
	} while (virtqueue_enable_cb(from_linux));
}

void caif_poll(void)
{
	if (to_linux && !is_up())
		close_link();
	if (!to_linux && caif_ready())
		open_link();
	if (!to_linux)
		return;
	reclaim();
	if (is_up())
		receive();
}

bool caif_send(void *buffer, uint32_t len)
{
	struct virtqueue_buf buf = { .buf = buffer, .len = (int)len };
	void **place;

	/* The library checks for a free descriptor only with VQUEUE_DEBUG. */
	if (!is_up() || !to_linux->vq_free_cnt)
		return false;
	place = &lent[to_linux->vq_desc_head_idx];
	*place = buffer;
	/* One readable descriptor, none that Linux may write to. */
	if (virtqueue_add_buffer(to_linux, &buf, 1, 0, place)) {
		*place = NULL;
		return false;
	}
	sent++;
	virtqueue_kick(to_linux);
	return true;
}
