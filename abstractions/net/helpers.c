// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <net/sch_generic.h>

#include "helpers.h"

bool net_helper_refcount_inc_not_zero(refcount_t *count)
{
	return refcount_inc_not_zero(count);
}

void net_helper_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
}

bool net_helper_spin_trylock_bh(spinlock_t *lock)
{
	return spin_trylock_bh(lock);
}

void net_helper_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock_bh(lock);
}

void net_helper_init_delayed_work(struct delayed_work *work, void (*func)(struct work_struct *),
				  const char *name, struct lock_class_key *key)
{
	INIT_DELAYED_WORK(work, func);
#ifdef CONFIG_LOCKDEP
	/* A class for each caller, not one for all of them. */
	lockdep_init_map(&work->work.lockdep_map, name, key, 0);
#endif
}

void net_helper_mod_delayed_work(struct delayed_work *work, unsigned int ms)
{
	mod_delayed_work(system_dfl_wq, work, msecs_to_jiffies(ms));
}

void net_helper_dev_hold(struct net_device *dev)
{
	dev_hold(dev);
}

void net_helper_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

struct net *net_helper_dev_net(const struct net_device *dev)
{
	return dev_net(dev);
}

unsigned int net_helper_mtu(const struct net_device *dev)
{
	return READ_ONCE(dev->mtu);
}

bool net_helper_netif_works(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

unsigned int net_helper_headroom(const struct net_device *dev)
{
	return LL_RESERVED_SPACE(dev);
}

unsigned int net_helper_tailroom(const struct net_device *dev)
{
	return READ_ONCE(dev->needed_tailroom);
}

void net_helper_set_room(struct net_device *dev, unsigned int head, unsigned int tail)
{
	WRITE_ONCE(dev->needed_headroom, min(head, U16_MAX));
	WRITE_ONCE(dev->needed_tailroom, min(tail, U16_MAX));
}

void net_helper_netif_stop_queue(struct net_device *dev)
{
	netif_stop_queue(dev);
}

void net_helper_netif_wake_queue(struct net_device *dev)
{
	netif_wake_queue(dev);
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
			/* One that another CPU empties fills up, too, if that does not get on. */
			most = max_t(int, most, qdisc_qlen_sum(qdisc));
		}
		rcu_read_unlock();
	}
	return most;
}

unsigned int net_helper_tx_queue_len(const struct net_device *dev)
{
	return READ_ONCE(dev->tx_queue_len);
}

static bool has_tstats(const struct net_device *dev)
{
	return dev->pcpu_stat_type == NETDEV_PCPU_STAT_TSTATS && dev->tstats;
}

void net_helper_count_rx(struct net_device *dev, unsigned int len)
{
	if (has_tstats(dev))
		dev_sw_netstats_rx_add(dev, len);
}

void net_helper_count_tx(struct net_device *dev, unsigned int len)
{
	if (has_tstats(dev))
		dev_sw_netstats_tx_add(dev, 1, len);
}

void net_helper_count_rx_error(struct net_device *dev)
{
	DEV_STATS_INC(dev, rx_errors);
}

void net_helper_count_rx_dropped(struct net_device *dev)
{
	DEV_STATS_INC(dev, rx_dropped);
}

void net_helper_count_tx_error(struct net_device *dev)
{
	DEV_STATS_INC(dev, tx_errors);
}

void net_helper_count_tx_dropped(struct net_device *dev)
{
	DEV_STATS_INC(dev, tx_dropped);
}

struct sk_buff *net_helper_skb_share_check(struct sk_buff *skb)
{
	return skb_share_check(skb, GFP_ATOMIC);
}

bool net_helper_pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

int net_helper_pskb_trim(struct sk_buff *skb, unsigned int len)
{
	return pskb_trim(skb, len);
}

void net_helper_skb_set_priority(struct sk_buff *skb, unsigned int priority)
{
	skb->priority = priority;
}

int net_helper_skb_make_room(struct sk_buff *skb, unsigned int head, unsigned int tail)
{
	int nhead = 0, ntail = 0;

	if (skb_linearize(skb))
		return -ENOMEM;
	if (skb_headroom(skb) < head)
		nhead = ALIGN(head - skb_headroom(skb), NET_SKB_PAD);
	if (skb_tailroom(skb) < tail)
		ntail = tail - skb_tailroom(skb);
	/* The bytes behind the packet are another's, too, while its data is shared. */
	if (nhead || ntail || skb_cloned(skb))
		return pskb_expand_head(skb, nhead, ntail, GFP_ATOMIC);
	return 0;
}

int net_helper_xmit(struct sk_buff *skb, struct net_device *dev, u16 protocol)
{
	if (skb->dev && !net_eq(dev_net(skb->dev), dev_net(dev)))
		skb_scrub_packet(skb, true);
	skb->dev = dev;
	skb->protocol = htons(protocol);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	return dev_queue_xmit(skb);
}

void net_helper_receive(struct sk_buff *skb, struct net_device *dev, u16 protocol)
{
	if (!(READ_ONCE(dev->flags) & IFF_UP)) {
		kfree_skb(skb);
		return;
	}
	if (skb->dev && !net_eq(dev_net(skb->dev), dev_net(dev)))
		skb_scrub_packet(skb, true);
	skb->dev = dev;
	skb->protocol = htons(protocol);
	skb->pkt_type = PACKET_HOST;
	skb->ip_summed = CHECKSUM_NONE;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	netif_receive_skb(skb);
}

struct sk_buff *net_helper_alloc_skb(unsigned int head, unsigned int len, unsigned int tail)
{
	struct sk_buff *skb = alloc_skb(head + len + tail, GFP_ATOMIC);

	if (skb)
		skb_reserve(skb, head);
	return skb;
}

struct sk_buff *net_helper_alloc_paged_skb(unsigned int len)
{
	int err;
	struct sk_buff *skb = alloc_skb_with_frags(0, len, 0, &err, GFP_ATOMIC);

	if (!skb)
		return NULL;
	skb->data_len = len;
	skb->len = len;
	return skb;
}

void net_helper_unregister(struct net_device *dev)
{
	ASSERT_RTNL();
	if (READ_ONCE(dev->reg_state) == NETREG_REGISTERED)
		unregister_netdevice(dev);
}

struct net_device *net_helper_newlink_lower(struct rtnl_newlink_params *params)
{
	struct net_device *dev;

	if (!params->tb[IFLA_LINK])
		return NULL;
	dev = __dev_get_by_index(rtnl_newlink_link_net(params), nla_get_u32(params->tb[IFLA_LINK]));
	return dev ?: ERR_PTR(-ENODEV);
}

void net_helper_unlink_lowers(struct net_device *dev)
{
	struct net_device *lower;
	struct list_head *iter;

	ASSERT_RTNL();
	for (;;) {
		iter = dev->adj_list.lower.next;
		lower = netdev_lower_get_next(dev, &iter);
		if (!lower)
			return;
		netdev_upper_dev_unlink(lower, dev);
	}
}

int net_helper_set_mtu(struct net_device *dev, unsigned int mtu)
{
	return dev_set_mtu(dev, mtu);
}

void net_helper_set_lltx(struct net_device *dev)
{
	dev->lltx = true;
}

const void *net_helper_attr(struct nlattr **data, unsigned int type, unsigned int len)
{
	const struct nlattr *attr = data ? data[type] : NULL;

	return attr && nla_len(attr) >= len ? nla_data(attr) : NULL;
}

size_t net_helper_nla_total_size(unsigned int len)
{
	return nla_total_size(len);
}
