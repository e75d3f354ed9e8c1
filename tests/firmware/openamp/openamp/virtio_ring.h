/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of OpenAMP's header that the example uses. STUB_PACKED: as the library has them. */
#ifndef STUB_OPENAMP_VIRTIO_RING_H
#define STUB_OPENAMP_VIRTIO_RING_H

#include <stdint.h>

#ifdef STUB_PACKED
#define STUB_PACKED_ATTRIBUTE __attribute__((packed))
#else
#define STUB_PACKED_ATTRIBUTE
#endif

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
} STUB_PACKED_ATTRIBUTE;

struct vring_avail {
	uint16_t flags, idx;
	uint16_t ring[];
} STUB_PACKED_ATTRIBUTE;

struct vring_used_elem {
	uint32_t id, len;
} STUB_PACKED_ATTRIBUTE;

struct vring_used {
	uint16_t flags, idx;
	struct vring_used_elem ring[];
} STUB_PACKED_ATTRIBUTE;

struct vring {
	unsigned int num;
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

#endif
