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

void caif_helper_batch_init(struct caif_helper_batch *batch)
{
	INIT_LIST_HEAD(&batch->list);
	batch->packets = 0;
	batch->bytes = 0;
}

bool caif_helper_batch_add(struct caif_helper_batch *batch, struct napi_struct *napi,
			   const void *from, bool is_iomem, unsigned int len, u16 proto)
{
	struct sk_buff *skb = napi_alloc_skb(napi, len);

	if (unlikely(!skb))
		return false;
	if (unlikely(is_iomem))
		memcpy_fromio(__skb_put(skb, len), (const void __iomem *)from, len);
	else
		memcpy(__skb_put(skb, len), from, len);
	skb->protocol = htons(proto);
	skb_reset_mac_header(skb);
	list_add_tail(&skb->list, &batch->list);
	trace_caif_virtio_receive(napi->dev, len);
	batch->packets++;
	batch->bytes += len;
	return true;
}

void caif_helper_batch_deliver(struct caif_helper_batch *batch, struct net_device *dev)
{
	struct pcpu_sw_netstats *stats = this_cpu_ptr(dev->tstats);

	u64_stats_update_begin(&stats->syncp);
	u64_stats_add(&stats->rx_packets, batch->packets);
	u64_stats_add(&stats->rx_bytes, batch->bytes);
	u64_stats_update_end(&stats->syncp);
	netif_receive_skb_list(&batch->list);
	caif_helper_batch_init(batch);
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
