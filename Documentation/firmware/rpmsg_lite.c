// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A CAIF link on the modem's side, with rpmsg-lite's virtqueues (RL_USE_STATIC_API 0,
 * RL_USE_ENVIRONMENT_CONTEXT 0).
 *
 * rpmsg-lite itself reads neither the resource table nor its status, so this does. It knows no
 * event indices; each slot of Linux that is returned causes an interrupt, which Linux allows.
 */

#define CAIF_FEATURES 0U
#include "caif_link.h"

#include "rpmsg_env.h"
#include "virtqueue.h"

/* Linux must never see half of an index. */
_Static_assert(_Alignof(struct vring_avail) >= 2 && _Alignof(struct vring_used) >= 2,
	       "an index must be stored by one 16-bit access");
/* The library leaves used_event out where it looks for the used ring. */
_Static_assert(CAIF_ALIGN >= 16, "rpmsg-lite would find the used ring too early");

/* Both are NULL while the link is down. */
static struct virtqueue *to_linux, *from_linux;
/* Chains made available on vring 0, and returned on vring 1. */
static uint16_t sent, returned;
/* The buffers that Linux has, by their descriptor. */
static void *lent[CAIF_NUM];
/* The numbers of the free descriptors: the library's own list is for buffers of rpmsg. */
static uint16_t free_descs[CAIF_NUM];
static uint16_t free_count;

static void interrupt(struct virtqueue *vq)
{
	soc_interrupt(caif_table.vring[vq->vq_queue_index].notifyid);
}

static struct virtqueue *create(uint16_t number)
{
	volatile struct caif_vring *vring = &caif_table.vring[number];
	struct vring_alloc_info info = {
		/* Where the modem has it mapped, in spite of the name. */
		.phy_addr = soc_map(vring->da),
		.align = CAIF_ALIGN,
		.num_descs = CAIF_NUM,
	};
	struct virtqueue *vq = NULL;

	/* The used ring is found by aligning its address in the modem's own mapping. */
	if ((uintptr_t)info.phy_addr % CAIF_ALIGN)
		return NULL;
	/* The vrings are cleared already: neither a memset nor vq_ring_init() follows. */
	if (virtqueue_create(number, "caif", &info, NULL, interrupt, &vq))
		return NULL;
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
	for (free_count = 0; free_count < CAIF_NUM; free_count++)
		free_descs[free_count] = free_count;
	to_linux = create(CAIF_TO_LINUX);
	from_linux = create(CAIF_FROM_LINUX);
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
	uint16_t desc;

	while (virtqueue_get_buffer(to_linux, NULL, &desc)) {
		/* A reset clears the vring under the modem. */
		if (desc >= CAIF_NUM || !lent[desc])
			return;
		soc_free(lent[desc]);
		lent[desc] = NULL;
		free_descs[free_count++] = desc;
	}
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
	const uint16_t before = returned;
	uint16_t head;
	uint32_t len;
	uint8_t *slot;

	while (has_slot() &&
	       (slot = virtqueue_get_available_buffer(from_linux, &head, &len))) {
		if (len > CAIF_HEADROOM + CAIF_TAILROOM)
			soc_received(slot + CAIF_HEADROOM, len - CAIF_HEADROOM - CAIF_TAILROOM);
		if (!is_up())
			return;
		virtqueue_add_consumed_buffer(from_linux, head, 0);
		returned++;
	}
	/*
	 * virtqueue_disable_cb() and virtqueue_enable_cb() are for the driver side: on this vring
	 * they would write to the half of Linux.
	 */
	if (returned != before)
		virtqueue_kick(from_linux);
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
	struct vring_desc *desc;
	uint16_t head;

	if (!is_up() || !free_count)
		return false;
	head = free_descs[free_count - 1];
	/* By hand: virtqueue_fill_avail_buffers() would set WRITE. */
	desc = &to_linux->vq_ring.desc[head];
	desc->addr = env_map_vatopa(buffer);
	desc->len = len;
	desc->flags = 0;
	desc->next = 0;
	if (virtqueue_add_buffer(to_linux, head))
		return false;
	free_count--;
	lent[head] = buffer;
	sent++;
	virtqueue_kick(to_linux);
	return true;
}
