// SPDX-License-Identifier: GPL-2.0
/*
 * The transmit queues of network devices, and the packets that wait in them.
 */
#include <linux/llist.h>
#include <linux/netdevice.h>
#include <net/sch_generic.h>

#include "helpers.h"

/*
 * Whether packets can wait in a queue: whether it has a discipline. Before the device is up for the
 * first time it has noop, which is none. In a read section of RCU.
 */
static bool holds_packets(const struct netdev_queue *queue)
{
	/* The one that is in use is another one while the device has no carrier. */
	const typeof(*queue->qdisc) *qdisc = rcu_dereference(queue->qdisc_sleeping);

	return qdisc && qdisc != &noop_qdisc && qdisc->enqueue;
}

/* The kernel logs packets that are sent by a queue without a discipline which is stopped. */
void net_helper_stop_queues(struct net_device *dev)
{
	struct netdev_queue *queue;

	rcu_read_lock();
	for (unsigned int i = 0; i < dev->num_tx_queues; i++) {
		queue = netdev_get_tx_queue(dev, i);
		if (holds_packets(queue))
			netif_tx_stop_queue(queue);
	}
	rcu_read_unlock();
}

bool net_helper_can_wait(const struct net_device *dev, const struct sk_buff *skb)
{
	unsigned int queue = skb_get_queue_mapping(skb);
	bool can_wait;

	rcu_read_lock();
	can_wait = queue < dev->num_tx_queues && holds_packets(netdev_get_tx_queue(dev, queue));
	rcu_read_unlock();
	return can_wait;
}

void net_helper_wake_queues(struct net_device *dev)
{
	netif_tx_wake_all_queues(dev);
}

int net_helper_backlog(const struct net_device *dev)
{
	const struct netdev_queue *queue;
	const typeof(*queue->qdisc) *qdisc;
	int most = -1;

	for (unsigned int i = 0; i < READ_ONCE(dev->real_num_tx_queues); i++) {
		queue = netdev_get_tx_queue(dev, i);
		rcu_read_lock();
		qdisc = rcu_dereference(queue->qdisc);
		if (!qdisc || !qdisc->enqueue) {
			if (netif_xmit_stopped(queue))
				most = INT_MAX;
		} else if (netif_xmit_stopped(queue) || !qdisc_is_empty(qdisc)) {
			/* Counts a queue that another CPU empties, too: that CPU may be stalled. */
			most = max_t(int, most, qdisc_qlen_sum(qdisc));
		}
		rcu_read_unlock();
	}
	return most;
}

unsigned int net_helper_queue_limit(const struct net_device *dev)
{
	const typeof(*dev->_tx->qdisc) *qdisc;
	bool has_queue = false;

	for (unsigned int i = 0; i < READ_ONCE(dev->real_num_tx_queues); i++) {
		rcu_read_lock();
		qdisc = rcu_dereference(netdev_get_tx_queue(dev, i)->qdisc);
		has_queue |= qdisc && qdisc->enqueue;
		rcu_read_unlock();
	}
	return has_queue ? READ_ONCE(dev->tx_queue_len) : INT_MAX;
}

unsigned int net_helper_tx_queue_len(const struct net_device *dev)
{
	return READ_ONCE(dev->tx_queue_len);
}

/* Whether a packet may be on its way through the queues of the device itself. */
static int is_busy(struct net_device *dev, struct netdev_nested_priv *priv)
{
	const struct netdev_queue *queue;
	typeof(*queue->qdisc) *qdisc;

	for (unsigned int i = 0; i < READ_ONCE(dev->real_num_tx_queues); i++) {
		queue = netdev_get_tx_queue(dev, i);
		qdisc = rcu_dereference(queue->qdisc);
		/* While the discipline is exchanged, another one drops what is sent. */
		if (qdisc != rcu_access_pointer(queue->qdisc_sleeping))
			return 1;
		if (!qdisc || !qdisc->enqueue)
			continue;
		/* A sender that finds another CPU in the queue leaves its packet on the list. */
		if (qdisc_qlen_sum(qdisc) || !qdisc_is_empty(qdisc) ||
		    !llist_empty(&qdisc->defer_list))
			return 1;
		/* Whoever took packets out of it runs it until the driver has them. */
		smp_rmb();
		if (qdisc_is_running(qdisc))
			return 1;
	}
	return 0;
}

bool net_helper_is_drained(struct net_device *dev)
{
	struct netdev_nested_priv priv = { };
	bool drained;

	rcu_read_lock();
	drained = !is_busy(dev, &priv) && !netdev_walk_all_lower_dev_rcu(dev, is_busy, &priv);
	/* A device that goes down says so before its queues are emptied. */
	smp_rmb();
	drained &= net_helper_netif_works(dev);
	rcu_read_unlock();
	return drained;
}
