// SPDX-License-Identifier: GPL-2.0

#include <linux/completion.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../../abstractions/net/gro_cell.h"
#include "../../abstractions/net/helpers.h"
#include "cells.h"

/* The protocol of the packets. */
#define PROTOCOL ETH_P_LOOPBACK

struct upper {
	struct net_gro_cell cell;
	struct packet_type handler;
	struct net_device *dev;
	struct work_struct close;
	struct completion closed;
	atomic_t offered;
	atomic_t received;
	int most;
	unsigned int multiply;
	/* Of the packet that was received last. */
	u32 hash;
	bool queue;
	bool has_owner;
};

/* Packets that were freed, of any device: one test runs at a time. */
static atomic_t freed;

static int dropped(const struct net_device *dev)
{
	return atomic_long_read(&dev->stats.__rx_dropped);
}

static DECLARE_WAIT_QUEUE_HEAD(freed_wait);

static void count_freed(struct sk_buff *skb)
{
	atomic_inc(&freed);
	wake_up(&freed_wait);
}

static struct sk_buff *packet(struct net_device *dev)
{
	struct sk_buff *skb = alloc_skb(64, GFP_ATOMIC);

	if (!skb)
		return NULL;
	skb_put_zero(skb, 64);
	skb->dev = dev;
	skb->protocol = htons(PROTOCOL);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	return skb;
}

/* With bottom halves off. */
static void offer(struct upper *upper)
{
	struct sk_buff *skb = packet(upper->dev);

	if (!skb)
		return;
	skb->destructor = count_freed;
	atomic_inc(&upper->offered);
	net_gro_cell_merge(upper->dev, skb);
}

static int receive(struct sk_buff *skb, struct net_device *dev, struct packet_type *handler,
		   struct net_device *orig)
{
	struct upper *upper = container_of(handler, struct upper, handler);
	int waiting;

	upper->hash = skb->hash;
	upper->queue = skb_rx_queue_recorded(skb);
	upper->has_owner = skb->destructor;
	waiting = atomic_read(&upper->offered) - atomic_inc_return(&upper->received) - dropped(dev);
	upper->most = max(upper->most, waiting);
	/* Counted last: who waits for that finds the other counts complete. */
	consume_skb(skb);
	for (int i = 0; i < 2 && atomic_read(&upper->offered) < upper->multiply; i++)
		offer(upper);
	return NET_RX_SUCCESS;
}

static int open(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	net_gro_cell_open(&upper->cell);
	return 0;
}

static int stop(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	net_gro_cell_close(&upper->cell);
	complete_all(&upper->closed);
	return 0;
}

static netdev_tx_t xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops ops = {
	.ndo_open = open,
	.ndo_stop = stop,
	.ndo_start_xmit = xmit,
};

static void setup(struct net_device *dev)
{
	dev->netdev_ops = &ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP | IFF_POINTOPOINT;
	dev->mtu = ETH_DATA_LEN;
	dev->priv_flags |= IFF_NO_QUEUE;
}

static void close_it(struct work_struct *work)
{
	struct upper *upper = container_of(work, struct upper, close);

	rtnl_lock();
	dev_close(upper->dev);
	rtnl_unlock();
}

struct net_device *caif_kunit_cell_new(void)
{
	struct net_device *dev = alloc_netdev(sizeof(struct upper), "kunitcell%d", NET_NAME_ENUM,
					      setup);
	struct upper *upper;
	int err;

	if (!dev)
		return NULL;
	upper = netdev_priv(dev);
	upper->dev = dev;
	INIT_WORK(&upper->close, close_it);
	init_completion(&upper->closed);
	net_gro_cell_init(&upper->cell, dev);
	if (register_netdev(dev)) {
		free_netdev(dev);
		return NULL;
	}
	upper->handler.type = htons(PROTOCOL);
	upper->handler.dev = dev;
	upper->handler.func = receive;
	dev_add_pack(&upper->handler);
	atomic_set(&freed, 0);
	rtnl_lock();
	err = dev_open(dev, NULL);
	rtnl_unlock();
	if (err) {
		caif_kunit_cell_free(dev);
		return NULL;
	}
	return dev;
}

void caif_kunit_cell_free(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	flush_work(&upper->close);
	dev_remove_pack(&upper->handler);
	unregister_netdev(dev);
	free_netdev(dev);
}

void caif_kunit_cell_offer(struct net_device *dev, unsigned int packets)
{
	local_bh_disable();
	while (packets--)
		offer(netdev_priv(dev));
	local_bh_enable();
}

void caif_kunit_cell_multiply(struct net_device *dev, unsigned int most)
{
	struct upper *upper = netdev_priv(dev);

	WRITE_ONCE(upper->multiply, most);
}

int caif_kunit_cell_count(const struct net_device *dev, unsigned int what)
{
	const struct upper *upper = netdev_priv(dev);

	switch (what) {
	case CAIF_KUNIT_OFFERED:
		return atomic_read(&upper->offered);
	case CAIF_KUNIT_RECEIVED:
		return atomic_read(&upper->received);
	case CAIF_KUNIT_DROPPED:
		return dropped(dev);
	case CAIF_KUNIT_FREED:
		return atomic_read(&freed);
	default:
		return READ_ONCE(upper->most);
	}
}

bool caif_kunit_cell_hold(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	/* Whoever has scheduled an instance may poll it. */
	return napi_schedule_prep(&upper->cell.napi);
}

void caif_kunit_cell_release(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	/* The packets are there before the first poll, not new ones. */
	clear_bit(NAPI_STATE_MISSED, &upper->cell.napi.state);
	local_bh_disable();
	__napi_schedule(&upper->cell.napi);
	local_bh_enable();
}

void caif_kunit_cell_close_begin(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	schedule_work(&upper->close);
}

void caif_kunit_cell_close_end(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	flush_work(&upper->close);
}

bool caif_kunit_cell_is_closing(struct net_device *dev)
{
	struct upper *upper = netdev_priv(dev);

	return !READ_ONCE(upper->cell.open);
}

bool caif_kunit_cell_closes(struct net_device *dev, unsigned int ms)
{
	struct upper *upper = netdev_priv(dev);

	return wait_for_completion_timeout(&upper->closed, msecs_to_jiffies(ms));
}

void caif_kunit_cell_frees(int count, unsigned int ms)
{
	wait_event_timeout(freed_wait, atomic_read(&freed) >= count, msecs_to_jiffies(ms));
}

/* Lets a device receive a packet. */
static int receive_one(struct net_device *dev, struct sk_buff *skb)
{
	struct upper *upper = netdev_priv(dev);

	local_bh_disable();
	/* It is not TCP: received at once. */
	net_helper_receive(skb, dev, PROTOCOL);
	local_bh_enable();
	return atomic_read(&upper->received) ? 0 : -EIO;
}

int caif_kunit_receive_hash(struct net_device *dev, bool is_l4, unsigned int *hash, bool *queue)
{
	struct upper *upper = netdev_priv(dev);
	struct sk_buff *skb = packet(dev);
	int err;

	if (!skb)
		return -ENOMEM;
	skb_set_hash(skb, *hash, is_l4 ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L2);
	skb_record_rx_queue(skb, 3);
	err = receive_one(dev, skb);
	*hash = upper->hash;
	*queue = upper->queue;
	return err;
}

int caif_kunit_receive_owned(struct net_device *dev, bool *has_owner)
{
	struct upper *upper = netdev_priv(dev);
	struct sk_buff *skb = packet(dev);
	int err;

	if (!skb)
		return -ENOMEM;
	skb->destructor = count_freed;
	err = receive_one(dev, skb);
	*has_owner = upper->has_owner;
	return err;
}

int caif_kunit_put_zeroes(bool *is_shared)
{
	struct sk_buff *skb = alloc_skb(64, GFP_KERNEL);
	struct page *page = alloc_page(GFP_KERNEL);
	int err = -ENOMEM;

	if (!skb || !page)
		goto err;
	skb_fill_page_desc(skb, 0, page, 0, 64);
	skb->len += 64;
	skb->data_len += 64;
	skb->truesize += PAGE_SIZE;
	page = NULL;
	err = net_helper_skb_put_zeroes(skb, 2, 0);
	*is_shared = skb_has_shared_frag(skb);
err:
	if (page)
		put_page(page);
	kfree_skb(skb);
	return err;
}
