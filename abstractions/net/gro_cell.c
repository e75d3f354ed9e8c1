// SPDX-License-Identifier: GPL-2.0

#include <linux/rculist.h>

#include "gro_cell.h"

/* Packets that wait in a cell, as many as wait for a CPU by default. */
#define LIMIT 1000

static int poll(struct napi_struct *napi, int budget)
{
	struct net_gro_cell *cell = container_of(napi, struct net_gro_cell, napi);
	struct sk_buff_head batch;
	struct sk_buff *skb;
	int done = 0;

	__skb_queue_head_init(&batch);
	/* No more than are handled now: those that stay are counted by the limit. */
	spin_lock(&cell->queue.lock);
	/* Nearly always all of them, in one step: what that saves was not measured. */
	if (skb_queue_len(&cell->queue) <= budget) {
		done = skb_queue_len(&cell->queue);
		skb_queue_splice_init(&cell->queue, &batch);
	}
	while (done < budget && (skb = __skb_dequeue(&cell->queue))) {
		__skb_queue_tail(&batch, skb);
		done++;
	}
	spin_unlock(&cell->queue.lock);
	while ((skb = __skb_dequeue(&batch)))
		napi_gro_receive(napi, skb);
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

void net_gro_cell_init(struct net_gro_cell *cell, struct net_device *dev)
{
	skb_queue_head_init(&cell->queue);
	cell->open = false;
	/* Busy polling this instance would not poll the lower device. */
	set_bit(NAPI_STATE_NO_BUSY_POLL, &cell->napi.state);
	netif_napi_add(dev, &cell->napi, poll);
}

void net_gro_cell_open(struct net_gro_cell *cell)
{
	napi_enable(&cell->napi);
	spin_lock_bh(&cell->queue.lock);
	cell->open = true;
	spin_unlock_bh(&cell->queue.lock);
}

void net_gro_cell_close(struct net_gro_cell *cell)
{
	spin_lock_bh(&cell->queue.lock);
	cell->open = false;
	spin_unlock_bh(&cell->queue.lock);
	/* Waits for a poll that runs. It leaves what is beyond its budget. */
	napi_disable(&cell->napi);
	skb_queue_purge(&cell->queue);
}

static struct net_gro_cell *cell_of(struct net_device *dev)
{
	struct napi_struct *napi = list_first_or_null_rcu(&dev->napi_list, struct napi_struct,
							   dev_list);

	return napi && napi->poll == poll ? container_of(napi, struct net_gro_cell, napi) : NULL;
}

static void enqueue(struct net_gro_cell *cell, struct net_device *dev, struct sk_buff *skb)
{
	bool first;

	spin_lock(&cell->queue.lock);
	if (unlikely(!cell->open || skb_queue_len(&cell->queue) >= LIMIT)) {
		spin_unlock(&cell->queue.lock);
		DEV_STATS_INC(dev, rx_dropped);
		kfree_skb(skb);
		return;
	}
	__skb_queue_tail(&cell->queue, skb);
	first = skb_queue_len(&cell->queue) == 1;
	spin_unlock(&cell->queue.lock);
	if (first)
		napi_schedule(&cell->napi);
}

void net_gro_cell_merge(struct net_device *dev, struct sk_buff *skb)
{
	struct net_gro_cell *cell;

	/* Clones are not merged. */
	if (skb_cloned(skb) || !(dev->features & NETIF_F_GRO)) {
		netif_receive_skb(skb);
		return;
	}
	rcu_read_lock();
	cell = cell_of(dev);
	if (cell)
		enqueue(cell, dev, skb);
	else
		netif_receive_skb(skb);
	rcu_read_unlock();
}
