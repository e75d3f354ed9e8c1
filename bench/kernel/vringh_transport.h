/* SPDX-License-Identifier: GPL-2.0 */
/* Rings of vringh over remoteproc, which the original driver asks its virtio device for. */
#ifndef CAIF_BENCH_VRINGH_TRANSPORT_H
#define CAIF_BENCH_VRINGH_TRANSPORT_H

#include <linux/virtio_config.h>
#include <linux/vringh.h>

struct vringh_transport {
	const struct virtio_config_ops *remoteproc;
	struct virtio_config_ops ops;
	/* The rings of the driver that asked for them, while it is bound. */
	struct virtqueue *rx, *tx, *bell;
	struct vringh vrh;
	vrh_callback_t *callback;
	u8 bell_memory[256];
};

/*
 * Lets the next driver of @vdev request a ring of vringh, vring 0, and one virtqueue, vring 1.
 * Nothing changes for a driver that does not. @transport is used as long as @vdev exists.
 */
void vringh_transport_offer(struct vringh_transport *transport, struct virtio_device *vdev);

#endif
