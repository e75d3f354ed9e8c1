/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The driver's functions in C, for callers in Rust: receive, transmit and kick,
 * each with its tracepoint; the wait for late interrupts; a reference of the
 * module to itself; the tracepoints of drops and faults.
 */
#ifndef CAIF_VIRTIO_FRAMES_H
#define CAIF_VIRTIO_FRAMES_H

#include <linux/netdevice.h>
#include <linux/remoteproc.h>
#include <linux/virtio.h>

/*
 * Both copy a frame to a new packet, count it and pass it to the stack. They
 * return whether there was memory for the packet. To be called by the poll
 * function of napi, whose device has statistics of NETDEV_PCPU_STAT_TSTATS.
 */
bool caif_virtio_receive(struct napi_struct *napi, const void *from, unsigned int len);
bool caif_virtio_receive_io(struct napi_struct *napi, const void *from, unsigned int len);

/* What caif_virtio_sent() returns, ORed. */
#define CAIF_VIRTIO_NEED_KICK	1	/* The modem must be told now. */
#define CAIF_VIRTIO_STOPPED	2	/* The queue is stopped, by the driver or BQL. */

/*
 * Counts a packet whose frame of @len bytes is in a slot, which may stop the queue
 * by its byte limits, and frees it. The lock of the transmit queue must be held.
 */
unsigned int caif_virtio_sent(struct net_device *dev, struct sk_buff *skb, unsigned int len,
			      bool more);

/*
 * Calls the platform driver's kick operation for a notify id. The device and the
 * number of the vring are for the tracepoint.
 */
void caif_virtio_kick(struct rproc *rproc, int notifyid, const struct virtio_device *vdev,
		      unsigned int vring);

/*
 * Waits until no CPU and no task is in an interrupt that found a doorbell, wherever
 * it was preempted, unless the module is kept. Process context: sleeps.
 */
void caif_virtio_wait_for_interrupts(void);
/*
 * Keeps the module loaded if such tasks cannot be waited for: in a preemptible
 * kernel without CONFIG_TASKS_RCU. Returns false if that failed. Process
 * context: may sleep.
 */
bool caif_virtio_keep_module(void);
/* Returns whether caif_virtio_keep_module() keeps the module loaded. */
bool caif_virtio_keeps_module(void);

void caif_virtio_trace_drop(const struct net_device *dev, const char *why, u64 da, u32 len);
void caif_virtio_trace_fault(const struct net_device *dev, const char *why);

#endif
