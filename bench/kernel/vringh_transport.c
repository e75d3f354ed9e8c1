// SPDX-License-Identifier: GPL-2.0
/*
 * Rings of vringh over an unchanged remoteproc.
 *
 * The original driver expects them from its virtio device, but no transport ever had them.
 * Interrupts and kicks take the same path as with the other driver: interrupts by
 * rproc_vq_interrupt() and a virtqueue that always has a used buffer, kicks by the virtqueue that
 * remoteproc made for the vring.
 */
#include <linux/module.h>
#include <linux/remoteproc.h>
#include <linux/virtio_ring.h>

#include "vringh_transport.h"

#define ALIGN_BELL 64

static struct vringh_transport *transport_of(struct virtio_device *vdev)
{
	return container_of(vdev->config, struct vringh_transport, ops);
}

static void ignore(struct virtqueue *vq)
{
}

static bool ring_nobody(struct virtqueue *vq)
{
	return true;
}

static void call_driver(struct virtqueue *bell)
{
	struct vringh_transport *transport = transport_of(bell->vdev);

	transport->callback(bell->vdev, &transport->vrh);
}

static void kick_rx(struct vringh *vrh)
{
	virtqueue_notify(container_of(vrh, struct vringh_transport, vrh)->rx);
}

/* virtio calls back only for a virtqueue with used buffers, which a reversed ring does not have. */
static struct virtqueue *bell_new(struct vringh_transport *transport, struct virtio_device *vdev)
{
	struct vring vring;

	BUILD_BUG_ON(sizeof(transport->bell_memory) < 2 * ALIGN_BELL + 64);
	vring_init(&vring, 2, transport->bell_memory, ALIGN_BELL);
	vring.used->idx = cpu_to_virtio16(vdev, 1);
	return vring_new_virtqueue(2, vring.num, ALIGN_BELL, vdev, true, false, transport->bell_memory,
				   ring_nobody, call_driver, "bell");
}

static void del_vqs(struct virtio_device *vdev)
{
	struct vringh_transport *transport = transport_of(vdev);

	transport->remoteproc->del_vqs(vdev);
	transport->rx = NULL;
	transport->tx = NULL;
	transport->bell = NULL;
}

static int find_vrhs(struct virtio_device *vdev, unsigned int count, struct vringh *vrhs[],
		     vrh_callback_t *callbacks[])
{
	struct vringh_transport *transport = transport_of(vdev);
	struct virtqueue_info infos[] = { { "input", ignore }, { "output", ignore } };
	struct virtqueue *vqs[ARRAY_SIZE(infos)];
	const struct vring *vring;
	int err;

	if (count != 1)
		return -EINVAL;
	err = transport->remoteproc->find_vqs(vdev, ARRAY_SIZE(vqs), vqs, infos, NULL);
	if (err)
		return err;
	transport->rx = vqs[0];
	transport->tx = vqs[1];
	vring = virtqueue_get_vring(transport->rx);
	err = vringh_init_kern(&transport->vrh, vdev->features, vring->num, false, vring->desc,
			       vring->avail, vring->used);
	if (err)
		goto del;
	err = -ENOMEM;
	transport->bell = bell_new(transport, vdev);
	if (!transport->bell)
		goto del;
	transport->bell->priv = transport->rx->priv;
	transport->vrh.notify = kick_rx;
	transport->callback = callbacks[0];
	vrhs[0] = &transport->vrh;
	return 0;
del:
	del_vqs(vdev);
	return err;
}

static int find_vqs(struct virtio_device *vdev, unsigned int count, struct virtqueue *vqs[],
		    struct virtqueue_info infos[], struct irq_affinity *affinity)
{
	struct vringh_transport *transport = transport_of(vdev);

	if (!transport->tx)
		return transport->remoteproc->find_vqs(vdev, count, vqs, infos, affinity);
	if (count != 1)
		return -EINVAL;
	transport->tx->callback = infos[0].callback;
	vqs[0] = transport->tx;
	return 0;
}

/* Nothing to do: the rings are deleted with the virtqueues. */
static void del_vrhs(struct virtio_device *vdev)
{
}

static const struct vringh_config_ops vringh_ops = {
	.find_vrhs = find_vrhs,
	.del_vrhs = del_vrhs,
};

/* Enables callbacks at DRIVER_OK, and tells the modem of the status by a kick. */
static void set_status(struct virtio_device *vdev, u8 status)
{
	struct vringh_transport *transport = transport_of(vdev);

	transport->remoteproc->set_status(vdev, status);
	if (transport->bell && status & VIRTIO_CONFIG_S_DRIVER_OK) {
		struct rproc_vring *rvring = transport->rx->priv;

		WRITE_ONCE(rvring->vq, transport->bell);
		virtqueue_notify(transport->rx);
	}
}

/* Resets the device, disables callbacks, and tells the modem of the status by a kick. */
static void reset(struct virtio_device *vdev)
{
	struct vringh_transport *transport = transport_of(vdev);

	transport->remoteproc->reset(vdev);
	if (transport->bell) {
		struct rproc_vring *rx = transport->rx->priv, *tx = transport->tx->priv;

		WRITE_ONCE(rx->vq, NULL);
		WRITE_ONCE(tx->vq, NULL);
		synchronize_rcu();
		virtqueue_notify(transport->rx);
	}
}

void vringh_transport_offer(struct vringh_transport *transport, struct virtio_device *vdev)
{
	transport->remoteproc = vdev->config;
	transport->ops = *vdev->config;
	transport->ops.find_vqs = find_vqs;
	transport->ops.del_vqs = del_vqs;
	transport->ops.set_status = set_status;
	transport->ops.reset = reset;
	vdev->config = &transport->ops;
	vdev->vringh_config = &vringh_ops;
}
EXPORT_SYMBOL_GPL(vringh_transport_offer);

MODULE_DESCRIPTION("Rings of vringh over remoteproc");
MODULE_LICENSE("GPL");
