// SPDX-License-Identifier: GPL-2.0

/*
 * Receive, transmit and kick; tracepoints of these, of drops and of faults; the
 * wait for late interrupts, and the reference to the module instead of it.
 */

#include <linux/if_ether.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/remoteproc.h>
#include <linux/skbuff.h>
#include <linux/virtio.h>

#include "frames.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

unsigned int caif_virtio_sent(struct net_device *dev, struct sk_buff *skb, unsigned int len,
			      bool more)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, 0);
	unsigned int ret = 0;

	trace_caif_virtio_transmit(dev, len);
	skb_tx_timestamp(skb);
	dev_consume_skb_any(skb);
	dev_sw_netstats_tx_add(dev, 1, len);
	if (__netdev_tx_sent_queue(queue, len, more))
		ret |= CAIF_VIRTIO_NEED_KICK;
	if (netif_xmit_stopped(queue))
		ret |= CAIF_VIRTIO_STOPPED;
	return ret;
}

/*
 * Delivers packets one by one: netif_receive_skb_list() takes 97 to 141
 * instructions a frame more (Documentation/performance.md), has no gain for a
 * protocol that does not receive lists, and keeps the memory of a packet from
 * the next one.
 */
static void deliver(struct sk_buff *skb, unsigned int len)
{
	skb->protocol = htons(ETH_P_CAIF);
	skb_reset_mac_header(skb);
	trace_caif_virtio_receive(skb->dev, len);
	dev_sw_netstats_rx_add(skb->dev, len);
	netif_receive_skb(skb);
}

bool caif_virtio_receive(struct napi_struct *napi, const void *from, unsigned int len)
{
	struct sk_buff *skb = napi_alloc_skb(napi, len);

	if (unlikely(!skb))
		return false;
	memcpy(__skb_put(skb, len), from, len);
	deliver(skb, len);
	return true;
}

bool caif_virtio_receive_io(struct napi_struct *napi, const void *from, unsigned int len)
{
	struct sk_buff *skb = napi_alloc_skb(napi, len);

	if (unlikely(!skb))
		return false;
	memcpy_fromio(__skb_put(skb, len), (const void __iomem *)from, len);
	deliver(skb, len);
	return true;
}

void caif_virtio_kick(struct rproc *rproc, int notifyid, const struct virtio_device *vdev,
		      unsigned int vring)
{
	trace_caif_virtio_kick(vdev, vring);
	rproc->ops->kick(rproc, notifyid);
}

void caif_virtio_wait_for_interrupts(void)
{
	/* Interrupts with preemption disabled, or in an RCU read-side section. */
	synchronize_rcu();
	/* Preempted tasks: none sleeps before it has left the callback. */
	synchronize_rcu_tasks();
	/*
	 * Under PREEMPT_RT a task may sleep on a lock in the read-side section of the
	 * callback, whose end the first call waited for. This waits for the code behind
	 * that section.
	 */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		synchronize_rcu_tasks();
}

/* Whether caif_virtio_keep_module() took a reference to the module, for good. */
static bool kept;

bool caif_virtio_keep_module(void)
{
	static DEFINE_MUTEX(lock);

	if (!IS_ENABLED(CONFIG_PREEMPTION) || IS_ENABLED(CONFIG_TASKS_RCU))
		return true;
	guard(mutex)(&lock);
	/*
	 * Fails if the module is being removed: once it was found to have no references,
	 * try_module_get() returns false. Not tested: no test has a kernel without
	 * CONFIG_TASKS_RCU.
	 */
	if (!kept)
		WRITE_ONCE(kept, try_module_get(THIS_MODULE));
	return kept;
}

bool caif_virtio_keeps_module(void)
{
	return READ_ONCE(kept);
}

void caif_virtio_trace_drop(const struct net_device *dev, const char *why, u64 da, u32 len)
{
	trace_caif_virtio_drop(dev, why, da, len);
}

void caif_virtio_trace_fault(const struct net_device *dev, const char *why)
{
	trace_caif_virtio_fault(dev, why);
}
