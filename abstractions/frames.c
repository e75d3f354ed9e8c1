// SPDX-License-Identifier: GPL-2.0

/*
 * The helpers that see frames and kicks, with the tracepoints of these. They
 * are the driver's only: no other module may define the same tracepoints.
 */

#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/virtio.h>

#include "helpers.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

unsigned int caif_helper_tx_sent(struct net_device *dev, struct sk_buff *skb, bool more)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, 0);
	unsigned int len = skb->len;
	unsigned int ret = 0;

	trace_caif_virtio_transmit(dev, len);
	skb_tx_timestamp(skb);
	dev_consume_skb_any(skb);
	dev_sw_netstats_tx_add(dev, 1, len);
	if (__netdev_tx_sent_queue(queue, len, more))
		ret |= CAIF_HELPER_TX_TELL;
	if (netif_xmit_stopped(queue))
		ret |= CAIF_HELPER_TX_HALTED;
	return ret;
}

void caif_helper_batch_init(struct caif_helper_batch *batch, struct napi_struct *napi, u16 proto)
{
	batch->napi = napi;
	batch->first = NULL;
	batch->end = &batch->first;
	batch->packets = 0;
	batch->bytes = 0;
	batch->protocol = htons(proto);
}

static void batch_add(struct caif_helper_batch *batch, struct sk_buff *skb, unsigned int len)
{
	skb->protocol = batch->protocol;
	skb_reset_mac_header(skb);
	/* A new one has no successor. */
	*batch->end = skb;
	batch->end = &skb->next;
	trace_caif_virtio_receive(skb->dev, len);
	batch->packets++;
	batch->bytes += len;
}

bool caif_helper_batch_add(struct caif_helper_batch *batch, const void *from, unsigned int len)
{
	struct sk_buff *skb = napi_alloc_skb(batch->napi, len);

	if (unlikely(!skb))
		return false;
	memcpy(__skb_put(skb, len), from, len);
	batch_add(batch, skb, len);
	return true;
}

bool caif_helper_batch_add_io(struct caif_helper_batch *batch, const void *from, unsigned int len)
{
	struct sk_buff *skb = napi_alloc_skb(batch->napi, len);

	if (unlikely(!skb))
		return false;
	memcpy_fromio(__skb_put(skb, len), (const void __iomem *)from, len);
	batch_add(batch, skb, len);
	return true;
}

void caif_helper_batch_deliver(struct caif_helper_batch *batch)
{
	struct pcpu_sw_netstats *stats = this_cpu_ptr(batch->napi->dev->tstats);
	struct sk_buff *skb = batch->first, *next;

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->rx_packets, batch->packets);
	u64_stats_add(&stats->rx_bytes, batch->bytes);
	u64_stats_update_end(&stats->syncp);
	/*
	 * One by one: netif_receive_skb_list() takes more instructions and is of no
	 * use to a protocol that does not receive lists itself.
	 */
	for (; skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		netif_receive_skb(skb);
	}
	batch->first = NULL;
	batch->end = &batch->first;
	batch->packets = 0;
	batch->bytes = 0;
}

void caif_helper_kick(struct virtqueue *vq)
{
	trace_caif_virtio_kick(vq);
	virtqueue_notify(vq);
}

void caif_helper_trace_drop(const struct net_device *dev, const char *why, u64 da, u32 len)
{
	trace_caif_virtio_drop(dev, why, da, len);
}

void caif_helper_trace_fault(const struct net_device *dev, const char *why)
{
	trace_caif_virtio_fault(dev, why);
}
