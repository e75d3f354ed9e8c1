/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of OpenAMP's header that the example uses. */
#ifndef STUB_OPENAMP_VIRTIO_H
#define STUB_OPENAMP_VIRTIO_H

#include <openamp/virtqueue.h>

#define VIRTIO_DEV_DRIVER 0UL
#define VIRTIO_DEV_DEVICE 1UL

struct virtio_device {
	uint32_t notifyid;
	uint64_t features;
	unsigned int role;
	void *priv;
};

#endif
