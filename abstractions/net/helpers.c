// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/in6.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file_net.h>
#include <linux/user_namespace.h>
#include <net/gso.h>
#include <net/netlink.h>
#include <net/sch_generic.h>

#include "gro_cell.h"
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

bool net_helper_is_of_init_user_ns(const struct net_device *dev)
{
	return dev_net(dev)->user_ns == &init_user_ns;
}

void net_helper_copy_name(const struct net_device *dev, char *name)
{
	strscpy(name, dev->name, IFNAMSIZ);
}

unsigned int net_helper_mtu(const struct net_device *dev)
{
	return READ_ONCE(dev->mtu);
}

unsigned int net_helper_carrier_losses(const struct net_device *dev)
{
	return atomic_read(&dev->carrier_down_count);
}

bool net_helper_may_admin(const struct net_device *dev)
{
	return ns_capable(dev_net(dev)->user_ns, CAP_NET_ADMIN);
}

bool net_helper_netif_works(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

bool net_helper_supports_nofcs(const struct net_device *dev)
{
	return dev->priv_flags & IFF_SUPP_NOFCS;
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

static bool has_tstats(const struct net_device *dev)
{
	return dev->pcpu_stat_type == NETDEV_PCPU_STAT_TSTATS && dev->tstats;
}

void net_helper_count_rx(struct net_device *dev, unsigned int len)
{
	if (has_tstats(dev))
		dev_sw_netstats_rx_add(dev, len);
}

void net_helper_count_tx(struct net_device *dev, unsigned int packets, unsigned int len)
{
	if (has_tstats(dev))
		dev_sw_netstats_tx_add(dev, packets, len);
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

/* Completes a checksum that the sender left to a device, such as a veth, that does not make it. */
static bool make_checksum(struct sk_buff *skb)
{
	int start = skb_checksum_start_offset(skb);

	/* Else skb_checksum_help() warns. */
	if (skb_is_gso(skb) || start < 0 ||
	    start + skb->csum_offset + sizeof(__sum16) > skb_headlen(skb))
		return false;
	return !skb_checksum_help(skb);
}

static noinline struct sk_buff *take_slowly(struct sk_buff *skb, const struct packet_type *type)
{
	struct net_device *dev = skb->dev;

	/*
	 * A packet that a port of a bond received belongs to the bond by now, and is delivered to
	 * the handlers of the port, too. If the bond has a handler, which gets it next, it is
	 * shared. Otherwise it may not come here, and the handler drops it.
	 */
	if (dev != type->dev) {
		consume_skb(skb);
		return NULL;
	}
	skb = skb_share_check(skb, GFP_ATOMIC);
	/* Pages of a user, who waits for them, are copied. */
	if (skb && !skb_orphan_frags_rx(skb, GFP_ATOMIC) &&
	    (skb->ip_summed != CHECKSUM_PARTIAL || make_checksum(skb)))
		return skb;
	dev_core_stats_rx_dropped_inc(dev);
	kfree_skb(skb);
	return NULL;
}

struct sk_buff *net_helper_take(struct sk_buff *skb, const struct packet_type *type)
{
	/* Nearly always nothing is to be done. */
	if (likely(!skb_shared(skb) && !skb_is_nonlinear(skb) &&
		   skb->ip_summed != CHECKSUM_PARTIAL))
		return skb;
	return take_slowly(skb, type);
}

bool net_helper_pskb_may_pull(struct sk_buff *skb, unsigned int len)
{
	return pskb_may_pull(skb, len);
}

int net_helper_pskb_trim(struct sk_buff *skb, unsigned int len)
{
	return pskb_trim(skb, len);
}

unsigned int net_helper_skb_priority(const struct sk_buff *skb)
{
	return skb->priority;
}

void net_helper_skb_set_priority(struct sk_buff *skb, unsigned int priority)
{
	skb->priority = priority;
}

void *net_helper_skb_push(struct sk_buff *skb, unsigned int len, unsigned int head)
{
	return skb_cow_head(skb, len + head) ? NULL : __skb_push(skb, len);
}

int net_helper_skb_put_zeroes(struct sk_buff *skb, unsigned int zeroes, unsigned int tail)
{
	bool in_pieces = skb_is_nonlinear(skb);
	int ntail = 0;

	if (unlikely(in_pieces && (skb_has_frag_list(skb) || !skb_frags_readable(skb) ||
				   skb_shinfo(skb)->nr_frags >= MAX_SKB_FRAGS))) {
		if (__skb_linearize(skb))
			return -ENOMEM;
		in_pieces = false;
	}
	if (!in_pieces && skb_tailroom(skb) < zeroes + tail)
		ntail = zeroes + tail - skb_tailroom(skb);
	/*
	 * Tailroom and fragment list of a clone are shared: make them private first.
	 */
	if ((ntail || skb_cloned(skb)) && pskb_expand_head(skb, 0, ntail, GFP_ATOMIC))
		return -ENOMEM;
	if (!in_pieces) {
		memset(__skb_put(skb, zeroes), 0, zeroes);
		return 0;
	}
	/* The page of zeroes is not charged to the socket. */
	skb_zcopy_downgrade_managed(skb);
	get_page(ZERO_PAGE(0));
	skb_fill_page_desc(skb, skb_shinfo(skb)->nr_frags, ZERO_PAGE(0), 0, zeroes);
	/* So that nobody writes to it. */
	skb_shinfo(skb)->flags |= SKBFL_SHARED_FRAG;
	skb->len += zeroes;
	skb->data_len += zeroes;
	return 0;
}

bool net_helper_skb_is_gso(const struct sk_buff *skb)
{
	return skb_is_gso(skb);
}

struct sk_buff *net_helper_skb_segment(struct sk_buff *skb)
{
	struct sk_buff *list = skb_gso_segment(skb, NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_HIGHDMA);

	if (IS_ERR(list))
		return list;
	/* skb_gso_segment() returns NULL if no segmentation is needed. */
	if (!list)
		return skb;
	consume_skb(skb);
	return list;
}

void net_helper_skb_link(struct sk_buff *skb, struct sk_buff *next)
{
	skb->next = next;
}

struct sk_buff *net_helper_skb_share_check(struct sk_buff *skb)
{
	return skb_share_check(skb, GFP_ATOMIC);
}

struct sk_buff *net_helper_skb_unlink(struct sk_buff *skb)
{
	struct sk_buff *next = skb->next;

	skb_mark_not_on_list(skb);
	return next;
}

void net_helper_kfree_skb_list(struct sk_buff *list)
{
	kfree_skb_list(list);
}

static void prepare(struct sk_buff *skb, struct net_device *dev, u16 protocol)
{
	if (skb->dev && !net_eq(dev_net(skb->dev), dev_net(dev)))
		skb_scrub_packet(skb, true);
	skb->dev = dev;
	skb->protocol = htons(protocol);
	/* The upper device, which set it, may have more queues. Drivers use it as an index. */
	skb_set_queue_mapping(skb, 0);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
}

/* Whether a device takes packets as they are. */
static bool takes(const struct net_device *dev, const struct sk_buff *skb)
{
	netdev_features_t needed = 0;

	if (skb_is_nonlinear(skb))
		needed |= NETIF_F_SG | NETIF_F_HIGHDMA;
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		needed |= NETIF_F_HW_CSUM;
	return (dev->features & needed) == needed;
}

/* Whether the core would do nothing with a packet but pass it to the driver. */
static bool may_bypass(const struct net_device *dev, const struct netdev_queue *queue)
{
	struct Qdisc *qdisc = rcu_dereference(queue->qdisc);

	if (READ_ONCE(dev->real_num_tx_queues) != 1 || dev_nit_active_rcu(dev))
		return false;
#ifdef CONFIG_NET_XGRESS
	if (rcu_access_pointer(dev->tcx_egress))
		return false;
#endif
#ifdef CONFIG_NETFILTER_EGRESS
	if (rcu_access_pointer(dev->nf_hooks_egress))
		return false;
#endif
	/* Packets on their way into it; those just taken off this list may be overtaken. */
	if (!(qdisc->flags & TCQ_F_NOLOCK) && !llist_empty(&qdisc->defer_list))
		return false;
	/* A device that is down has a discipline that drops, and lets no packet pass by it. */
	if (!(qdisc->flags & TCQ_F_CAN_BYPASS) || !qdisc_is_empty(qdisc))
		return false;
	/*
	 * What was taken out of it may not be with the driver yet, and must not be overtaken. As
	 * long as that is so, it runs; looked at in this order, it is not missed.
	 */
	smp_rmb();
	return !qdisc_is_running(qdisc);
}

struct sk_buff *net_helper_start_xmit(struct sk_buff *list, struct net_device *dev, u16 protocol)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, 0);
	int cpu = smp_processor_id();
	struct sk_buff *next;

	if (!may_bypass(dev, queue) || netif_tx_owned(queue, cpu) || dev_xmit_recursion())
		return list;
	for (next = list; next; next = next->next) {
		if (!takes(dev, next))
			return list;
		prepare(next, dev, protocol);
	}
	HARD_TX_LOCK(dev, queue, cpu);
	dev_xmit_recursion_inc();
	/* A driver that stops its queue publishes what it has, as without xmit_more. */
	while (list && !netif_xmit_frozen_or_stopped(queue)) {
		next = net_helper_skb_unlink(list);
		if (!dev_xmit_complete(netdev_start_xmit(list, dev, queue, next))) {
			list->next = next;
			break;
		}
		list = next;
	}
	dev_xmit_recursion_dec();
	HARD_TX_UNLOCK(dev, queue);
	return list;
}

/*
 * Whether a device has the discipline that drops all packets, as while its own is exchanged. In the
 * read section of RCU in which a packet was sent: the exchange waits for its end.
 */
static bool drops_all(const struct net_device *dev)
{
	for (unsigned int i = 0; i < READ_ONCE(dev->real_num_tx_queues); i++) {
		if (rcu_access_pointer(netdev_get_tx_queue(dev, i)->qdisc) == &noop_qdisc)
			return true;
	}
	return false;
}

int net_helper_xmit(struct sk_buff *skb, struct net_device *dev, u16 protocol)
{
	int err;

	prepare(skb, dev, protocol);
	rcu_read_lock();
	err = dev_queue_xmit(skb);
	/* The packet waits, and another one was dropped, but for this discipline. */
	if (err == NET_XMIT_CN && drops_all(dev))
		err = -ENOBUFS;
	rcu_read_unlock();
	return err > 0 ? net_xmit_errno(err) : err;
}

static bool is_plain(const struct sk_buff *skb)
{
#ifdef CONFIG_SKB_EXTENSIONS
	if (skb->active_extensions)
		return false;
#endif
	return !skb->destructor && !skb->_skb_refdst;
}

/*
 * If the lower device loops packets back, as a veth does, they belong to the sender's socket and
 * may have a route and a security path. GRO takes packets without an owner only.
 */
static noinline void make_plain(struct sk_buff *skb)
{
	if (skb->destructor)
		skb_orphan(skb);
	skb_dst_drop(skb);
	skb_ext_reset(skb);
}

void net_helper_receive(struct sk_buff *skb, struct net_device *dev, u16 protocol)
{
	if (!(READ_ONCE(dev->flags) & IFF_UP)) {
		kfree_skb(skb);
		return;
	}
	if (skb->dev && !net_eq(dev_net(skb->dev), dev_net(dev)))
		skb_scrub_packet(skb, true);
	if (unlikely(!is_plain(skb)))
		make_plain(skb);
	skb->dev = dev;
	skb->protocol = htons(protocol);
	skb->pkt_type = PACKET_HOST;
	skb->ip_summed = CHECKSUM_NONE;
	/*
	 * The lower device set hash and receive queue, the same for all flows in its frames.
	 * __skb_tunnel_rx() clears them, too. Of the rest, route and extensions are dropped above,
	 * and the core sets skb_iif anew; marks of switch ports do not matter here.
	 */
	skb_clear_hash_if_not_l4(skb);
	skb_set_queue_mapping(skb, 0);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	net_gro_cell_receive(dev, skb);
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

void net_helper_init_list(struct list_head *list)
{
	INIT_LIST_HEAD(list);
}

void net_helper_unregister(struct net_device *dev, struct list_head *list)
{
	ASSERT_RTNL();
	if (READ_ONCE(dev->reg_state) == NETREG_REGISTERED)
		unregister_netdevice_queue(dev, list);
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

int net_helper_register_before_ipv6(struct net_device *dev)
{
	unsigned int mtu = dev->mtu;
	int ret;

	WRITE_ONCE(dev->mtu, min(mtu, IPV6_MIN_MTU - 1));
	ret = register_netdevice(dev);
	WRITE_ONCE(dev->mtu, mtu);
	return ret;
}

int net_helper_set_mtu(struct net_device *dev, unsigned int mtu)
{
	return dev_set_mtu(dev, mtu);
}

void net_helper_set_lltx(struct net_device *dev)
{
	dev->lltx = true;
	/* netpoll sends with interrupts disabled, which bottom half locks do not allow. */
	dev->priv_flags |= IFF_DISABLE_NETPOLL;
}

void net_helper_set_offloads(struct net_device *dev, unsigned int max_segs)
{
	dev->hw_features |= NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_GSO_SOFTWARE;
	dev->features |= dev->hw_features | NETIF_F_HIGHDMA;
	netif_set_tso_max_segs(dev, max_segs);
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

bool net_helper_proc_create(struct net *net, const char *name,
			    int (*show)(struct seq_file *file, void *unused))
{
	if (!IS_ENABLED(CONFIG_PROC_FS))
		return true;
	return proc_create_net_single(name, 0444, net->proc_net, show, NULL);
}

void net_helper_proc_remove(struct net *net, const char *name)
{
	remove_proc_entry(name, net->proc_net);
}

struct net *net_helper_seq_net(struct seq_file *file)
{
	return seq_file_single_net(file);
}
