/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of OpenAMP's header that the example uses. */
#ifndef STUB_OPENAMP_VIRTQUEUE_H
#define STUB_OPENAMP_VIRTQUEUE_H

#include <openamp/virtio_ring.h>
#include <stdint.h>

struct metal_io_region;
struct virtio_device;

struct virtqueue_buf {
	void *buf;
	int len;
};

struct virtqueue {
	struct virtio_device *vq_dev;
	const char *vq_name;
	uint16_t vq_queue_index, vq_nentries;
	void (*callback)(struct virtqueue *vq);
	void (*notify)(struct virtqueue *vq);
	struct vring vq_ring;
	uint16_t vq_free_cnt, vq_queued_cnt;
	void *shm_io;
	uint16_t vq_desc_head_idx, vq_used_cons_idx, vq_available_idx;
};

struct vring_alloc_info {
	void *vaddr;
	uint32_t align;
	uint16_t num_descs, pad;
};

struct virtqueue *virtqueue_allocate(unsigned int num_desc_extra);
int virtqueue_create(struct virtio_device *device, unsigned short id, const char *name,
		     struct vring_alloc_info *ring, void (*callback)(struct virtqueue *vq),
		     void (*notify)(struct virtqueue *vq), struct virtqueue *vq);
void virtqueue_set_shmem_io(struct virtqueue *vq, struct metal_io_region *io);
int virtqueue_add_buffer(struct virtqueue *vq, struct virtqueue_buf *buf_list, int readable,
			 int writable, void *cookie);
void *virtqueue_get_buffer(struct virtqueue *vq, uint32_t *len, uint16_t *idx);
void *virtqueue_get_available_buffer(struct virtqueue *vq, uint16_t *avail_idx, uint32_t *len);
int virtqueue_add_consumed_buffer(struct virtqueue *vq, uint16_t head_idx, uint32_t len);
int virtqueue_enable_cb(struct virtqueue *vq);
void virtqueue_kick(struct virtqueue *vq);
void virtqueue_free(struct virtqueue *vq);

#endif
