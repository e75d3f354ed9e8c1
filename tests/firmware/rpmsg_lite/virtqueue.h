/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of rpmsg-lite's virtqueue.h and virtio_ring.h that the example uses. */
#ifndef STUB_RPMSG_LITE_VIRTQUEUE_H
#define STUB_RPMSG_LITE_VIRTQUEUE_H

#include <stdint.h>

/* The library does not pack them; STUB_PACKED does, for the case that this is refused. */
#ifdef STUB_PACKED
#define STUB_PACKED_ATTRIBUTE __attribute__((packed))
#else
#define STUB_PACKED_ATTRIBUTE
#endif

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vring_avail {
	uint16_t flags, idx;
	uint16_t ring[1];
} STUB_PACKED_ATTRIBUTE;

struct vring_used_elem {
	uint32_t id, len;
};

struct vring_used {
	uint16_t flags, idx;
	struct vring_used_elem ring[1];
} STUB_PACKED_ATTRIBUTE;

struct vring {
	uint32_t num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

struct virtqueue {
	struct vring vq_ring;
	uint16_t vq_queue_index, vq_nentries, vq_available_idx;
};

struct vring_alloc_info {
	void *phy_addr;
	uint32_t align;
	uint16_t num_descs, pad;
};

int32_t virtqueue_create(uint16_t id, const char *name, struct vring_alloc_info *ring,
			 void (*callback_fc)(struct virtqueue *vq),
			 void (*notify_fc)(struct virtqueue *vq), struct virtqueue **v_queue);
int32_t virtqueue_add_buffer(struct virtqueue *vq, uint16_t head_idx);
void *virtqueue_get_buffer(struct virtqueue *vq, uint32_t *len, uint16_t *idx);
void *virtqueue_get_available_buffer(struct virtqueue *vq, uint16_t *avail_idx, uint32_t *len);
int32_t virtqueue_add_consumed_buffer(struct virtqueue *vq, uint16_t head_idx, uint32_t len);
void virtqueue_kick(struct virtqueue *vq);
void virtqueue_free(struct virtqueue *vq);

#endif
