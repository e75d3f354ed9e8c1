/* SPDX-License-Identifier: GPL-2.0 */
/* Functions for src/kernel.rs. */
#ifndef INTEROP_SHIM_H
#define INTEROP_SHIM_H

#include <stdbool.h>
#include <stddef.h>

struct interop_driver;
struct interop_device;

struct interop_buffer {
	void *addr;
	unsigned int len;
};

/* virtio_ring.c: makes buffers available. */
struct interop_driver *interop_driver_new(void *ring, unsigned int num,
					  unsigned int align, bool event_idx);
void interop_driver_free(struct interop_driver *d);
int interop_driver_add(struct interop_driver *d, const struct interop_buffer *bufs,
		       unsigned int count, size_t token);
bool interop_driver_publish(struct interop_driver *d);
bool interop_driver_get(struct interop_driver *d, size_t *token, unsigned int *len);
bool interop_driver_enable(struct interop_driver *d);
void interop_driver_disable(struct interop_driver *d);
bool interop_driver_broken(struct interop_driver *d);

/* vringh.c: uses them, one for each chain. */
struct interop_device *interop_device_new(void *ring, unsigned int num,
					  unsigned int align, bool event_idx);
void interop_device_free(struct interop_device *d);
int interop_device_get(struct interop_device *d, unsigned short *head,
		       struct interop_buffer *buf);
int interop_device_complete(struct interop_device *d, unsigned short head);
int interop_device_need_notify(struct interop_device *d);
/*
 * Takes all chains, of at most as many buffers as descriptors, and returns
 * them. Returns the number of chains, or an error.
 */
int interop_device_round(struct interop_device *d, bool notify_each);
bool interop_device_enable(struct interop_device *d);
void interop_device_disable(struct interop_device *d);

#endif
