// SPDX-License-Identifier: GPL-2.0
/*
 * virtio_ring.c and vringh.c behind a few functions on plain types.
 *
 * In this build, addresses are those of the process: a descriptor of the
 * driver holds the pointer that was passed in.
 */
#define _GNU_SOURCE
#include <linux/kernel.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/vringh.h>
#include "shim.h"

/* For the user-space kmalloc(). */
void *__kmalloc_fake, *__kfree_ignore_start, *__kfree_ignore_end;

struct interop_driver {
	struct virtio_device vdev;
	struct virtqueue *vq;
	struct scatterlist *sg;
};

struct interop_device {
	struct vringh vrh;
	unsigned int num;
	struct kvec *vec;
	/* The chains that are to be returned. */
	unsigned short *heads;
};

/* Never called: the need for a notification is checked before. */
static bool never_notify(struct virtqueue *vq)
{
	abort();
}

static void never_callback(struct virtqueue *vq)
{
	abort();
}

static u64 features(bool event_idx)
{
	return event_idx ? 1ULL << VIRTIO_RING_F_EVENT_IDX : 0;
}

struct interop_driver *interop_driver_new(void *ring, unsigned int num,
					  unsigned int align, bool event_idx)
{
	struct interop_driver *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->vdev.features = features(event_idx);
	INIT_LIST_HEAD(&d->vdev.vqs);
	spin_lock_init(&d->vdev.vqs_list_lock);
	d->sg = calloc(num, sizeof(*d->sg));
	d->vq = vring_new_virtqueue(0, num, align, &d->vdev, true, false, ring,
				    never_notify, never_callback, "interop");
	if (!d->sg || !d->vq) {
		interop_driver_free(d);
		return NULL;
	}
	return d;
}

void interop_driver_free(struct interop_driver *d)
{
	if (d->vq)
		vring_del_virtqueue(d->vq);
	free(d->sg);
	free(d);
}

int interop_driver_add(struct interop_driver *d, const struct interop_buffer *bufs,
		       unsigned int count, size_t token)
{
	unsigned int i;

	sg_init_table(d->sg, count);
	for (i = 0; i < count; i++)
		sg_set_buf(&d->sg[i], bufs[i].addr, bufs[i].len);
	/* A token is a pointer to the kernel, and must not be NULL. */
	return virtqueue_add_outbuf(d->vq, d->sg, count, (void *)(token + 1), GFP_ATOMIC);
}

bool interop_driver_publish(struct interop_driver *d)
{
	return virtqueue_kick_prepare(d->vq);
}

bool interop_driver_get(struct interop_driver *d, size_t *token, unsigned int *len)
{
	void *data = virtqueue_get_buf(d->vq, len);

	*token = (size_t)data - 1;
	return data;
}

bool interop_driver_enable(struct interop_driver *d)
{
	return virtqueue_enable_cb(d->vq);
}

void interop_driver_disable(struct interop_driver *d)
{
	virtqueue_disable_cb(d->vq);
}

bool interop_driver_broken(struct interop_driver *d)
{
	return virtqueue_is_broken(d->vq);
}

struct interop_device *interop_device_new(void *ring, unsigned int num,
					  unsigned int align, bool event_idx)
{
	struct interop_device *d = calloc(1, sizeof(*d));
	struct vring vr;

	if (!d)
		return NULL;
	d->num = num;
	d->vec = calloc(num, sizeof(*d->vec));
	d->heads = calloc(num, sizeof(*d->heads));
	vring_init(&vr, num, ring, align);
	if (!d->vec || !d->heads ||
	    vringh_init_kern(&d->vrh, features(event_idx), num, true,
			     vr.desc, vr.avail, vr.used)) {
		interop_device_free(d);
		return NULL;
	}
	return d;
}

void interop_device_free(struct interop_device *d)
{
	free(d->heads);
	free(d->vec);
	free(d);
}

int interop_device_get(struct interop_device *d, unsigned short *head,
		       struct interop_buffer *buf)
{
	struct kvec vec;
	struct vringh_kiov iov;
	int err;

	vringh_kiov_init(&iov, &vec, 1);
	/* Without a list for writable buffers such a buffer is an error. */
	err = vringh_getdesc_kern(&d->vrh, &iov, NULL, head, GFP_ATOMIC);
	if (err != 1)
		return err;
	if (iov.used != 1)
		return -EINVAL;
	buf->addr = iov.iov[0].iov_base;
	buf->len = iov.iov[0].iov_len;
	vringh_kiov_cleanup(&iov);
	return 1;
}

int interop_device_complete(struct interop_device *d, unsigned short head)
{
	return vringh_complete_kern(&d->vrh, head, 0);
}

int interop_device_need_notify(struct interop_device *d)
{
	return vringh_need_notify_kern(&d->vrh);
}

int interop_device_round(struct interop_device *d, bool notify_each)
{
	unsigned int count = 0;
	int err;

	for (;;) {
		unsigned short head;
		struct vringh_kiov iov;

		vringh_kiov_init(&iov, d->vec, d->num);
		err = vringh_getdesc_kern(&d->vrh, &iov, NULL, &head, GFP_ATOMIC);
		if (err != 1)
			break;
		/* A receiver reads each buffer. */
		for (unsigned int i = 0; i < iov.used; i++)
			asm volatile("" : : "r"(iov.iov[i].iov_base), "r"(iov.iov[i].iov_len));
		if (notify_each) {
			err = vringh_complete_kern(&d->vrh, head, 0);
			if (!err)
				err = vringh_need_notify_kern(&d->vrh);
			if (err < 0)
				return err;
			count++;
		} else if (count == d->num) {
			return -EINVAL;
		} else {
			d->heads[count++] = head;
		}
	}
	if (err || notify_each)
		return err ? err : (int)count;
	for (unsigned int i = 0; i < count && !err; i++)
		err = vringh_complete_kern(&d->vrh, d->heads[i], 0);
	if (!err)
		err = vringh_need_notify_kern(&d->vrh);
	return err < 0 ? err : (int)count;
}

bool interop_device_enable(struct interop_device *d)
{
	return vringh_notify_enable_kern(&d->vrh);
}

void interop_device_disable(struct interop_device *d)
{
	vringh_notify_disable_kern(&d->vrh);
}
