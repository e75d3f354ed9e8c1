/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What modules above network devices need that is a static inline or a macro
 * in the kernel's headers. Each does what the function of its name does, unless
 * said otherwise. The names differ from those in abstractions/helpers.h, since
 * both files may be built into one kernel.
 */
#ifndef ABSTRACTIONS_NET_HELPERS_H
#define ABSTRACTIONS_NET_HELPERS_H

#include <linux/if_link.h>
#include <linux/netdevice.h>
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/rtnetlink.h>

struct seq_file;

bool net_helper_refcount_inc_not_zero(refcount_t *count);

void net_helper_spin_lock_bh(spinlock_t *lock);
bool net_helper_spin_trylock_bh(spinlock_t *lock);
void net_helper_spin_unlock_bh(spinlock_t *lock);

void net_helper_init_delayed_work(struct delayed_work *work, void (*func)(struct work_struct *),
				  const char *name, struct lock_class_key *key);
/* Runs the work in so many milliseconds, also if it was to run earlier or later. */
void net_helper_mod_delayed_work(struct delayed_work *work, unsigned int ms);

void net_helper_dev_hold(struct net_device *dev);
void net_helper_dev_put(struct net_device *dev);
struct net *net_helper_dev_net(const struct net_device *dev);
/* Whether the device's namespace belongs to the initial user namespace. */
bool net_helper_is_of_init_user_ns(const struct net_device *dev);
/* Copies the name, of IFNAMSIZ bytes, which may be changed meanwhile. */
void net_helper_copy_name(const struct net_device *dev, char *name);
unsigned int net_helper_mtu(const struct net_device *dev);
/* How many times its carrier was lost. */
unsigned int net_helper_carrier_losses(const struct net_device *dev);
/* Whether this task may change network devices of its namespace. */
bool net_helper_may_admin(const struct net_device *dev);
/* Whether the device is up, with a carrier. */
bool net_helper_netif_works(const struct net_device *dev);
/* Whether the device takes packets without a check sequence as well, IFF_SUPP_NOFCS. */
bool net_helper_supports_nofcs(const struct net_device *dev);
/* Room that the device wants in front of a packet and behind it. */
unsigned int net_helper_headroom(const struct net_device *dev);
unsigned int net_helper_tailroom(const struct net_device *dev);
void net_helper_set_room(struct net_device *dev, unsigned int head, unsigned int tail);
void net_helper_stop_queues(struct net_device *dev);
bool net_helper_can_wait(const struct net_device *dev, const struct sk_buff *skb);
void net_helper_wake_queues(struct net_device *dev);
/*
 * How many packets wait in the fullest of the queues that are stopped or not empty. INT_MAX if a
 * queue is stopped that has no queueing discipline, in which packets could wait. Negative if none
 * is stopped, and nothing waits.
 */
int net_helper_backlog(const struct net_device *dev);
unsigned int net_helper_tx_queue_len(const struct net_device *dev);
/*
 * How many packets can wait for the device. INT_MAX if it has no queueing discipline: no packet
 * waits then, as each is passed to the driver at once.
 */
unsigned int net_helper_queue_limit(const struct net_device *dev);
/*
 * Whether the device is up, has a carrier, and its driver has got all packets that were sent, and
 * so have the drivers of those below it, such as the ports of a bond. Unlike net_helper_backlog(),
 * this misses no packet that another CPU is about to hand on.
 */
bool net_helper_is_drained(struct net_device *dev);

void net_helper_count_rx(struct net_device *dev, unsigned int len);
void net_helper_count_tx(struct net_device *dev, unsigned int packets, unsigned int len);
void net_helper_count_rx_error(struct net_device *dev);
void net_helper_count_rx_dropped(struct net_device *dev);
void net_helper_count_tx_error(struct net_device *dev);
void net_helper_count_tx_dropped(struct net_device *dev);

/*
 * Takes a packet from the core: with the only reference, in the kernel's own pages, with its
 * checksum. NULL if that cannot be; then the packet is freed, if there is one, and counted as
 * dropped. NULL also, uncounted, for a packet that belongs to another device than the handler's and
 * of which that device's handler has the other reference.
 */
struct sk_buff *net_helper_take(struct sk_buff *skb, const struct packet_type *type);
bool net_helper_pskb_may_pull(struct sk_buff *skb, unsigned int len);
int net_helper_pskb_trim(struct sk_buff *skb, unsigned int len);
unsigned int net_helper_skb_priority(const struct sk_buff *skb);
void net_helper_skb_set_priority(struct sk_buff *skb, unsigned int priority);
/*
 * Prepends @len bytes that are not initialized, and returns them; reserves @head bytes of headroom
 * for lower layers. NULL if there is no memory.
 */
void *net_helper_skb_push(struct sk_buff *skb, unsigned int len, unsigned int head);
/*
 * Appends @zeroes zero bytes. A linear packet has @tail bytes of tailroom behind them, for lower
 * layers. One with fragments gets another, or is made linear if it cannot have one more.
 */
int net_helper_skb_put_zeroes(struct sk_buff *skb, unsigned int zeroes, unsigned int tail);
/* Returns @skb, or a clone if somebody else has a reference to it. NULL without memory. */
struct sk_buff *net_helper_skb_share_check(struct sk_buff *skb);
bool net_helper_skb_is_gso(const struct sk_buff *skb);
/*
 * Returns the list of a GSO packet's segments, which replace it, or an error: then the packet is
 * still there. Payloads are not copied, and checksums still to be made.
 */
struct sk_buff *net_helper_skb_segment(struct sk_buff *skb);
/* Sets @skb->next. */
void net_helper_skb_link(struct sk_buff *skb, struct sk_buff *next);
/* Returns @skb->next and clears it. */
struct sk_buff *net_helper_skb_unlink(struct sk_buff *skb);
void net_helper_kfree_skb_list(struct sk_buff *list);
/*
 * Passes a list of packets to the driver of a device at once, as the core does if nothing waits for
 * the device. Returns those that it cannot take now, or that the core has to see, to be sent by
 * net_helper_xmit(). Bottom halves must be off, in a read section of RCU.
 */
struct sk_buff *net_helper_start_xmit(struct sk_buff *list, struct net_device *dev, u16 protocol);
/* Sends a packet of the given type by a device. -ENOBUFS if its queue dropped the packet. */
int net_helper_xmit(struct sk_buff *skb, struct net_device *dev, u16 protocol);
/* Lets a device receive a packet that another one received. */
void net_helper_receive(struct sk_buff *skb, struct net_device *dev, u16 protocol);
struct sk_buff *net_helper_alloc_skb(unsigned int head, unsigned int len, unsigned int tail);
/* A packet of @len bytes that are not initialized, all of them in pages of their own. */
struct sk_buff *net_helper_alloc_paged_skb(unsigned int len);

void net_helper_init_list(struct list_head *list);
/*
 * Adds a device to those that unregister_netdevice_many() is to unregister, unless that was begun.
 * RTNL must be held.
 */
void net_helper_unregister(struct net_device *dev, struct list_head *list);
/* The device of IFLA_LINK, NULL if there is no such attribute, or an error. */
struct net_device *net_helper_newlink_lower(struct rtnl_newlink_params *params);
/* Undoes all netdev_upper_dev_link() of an upper device. RTNL must be held. */
void net_helper_unlink_lowers(struct net_device *dev);
/*
 * Registers a device of which IPv6 makes its part later: when it is set up and has a carrier,
 * when it gets an address of IPv6, or when its MTU is changed. addrconf makes none of a new device
 * whose MTU is below the least one of IPv6, so that is what it has meanwhile. RTNL must be held.
 */
int net_helper_register_before_ipv6(struct net_device *dev);
int net_helper_set_mtu(struct net_device *dev, unsigned int mtu);
/* The device needs no lock to send, and cannot be used by netpoll. */
void net_helper_set_lltx(struct net_device *dev);
/*
 * Lets a new device be given packets in pieces, of up to @max_segs segments, and with their
 * checksums still to be made.
 */
void net_helper_set_offloads(struct net_device *dev, unsigned int max_segs);

/* Payload of an attribute of @data, NULL if it is not there or shorter than @len. */
const void *net_helper_attr(struct nlattr **data, unsigned int type, unsigned int len);
size_t net_helper_nla_total_size(unsigned int len);

/*
 * Makes a file of a namespace's /proc/net, for everybody to read. Returns whether it did; true
 * without CONFIG_PROC_FS as well.
 */
bool net_helper_proc_create(struct net *net, const char *name,
			    int (*show)(struct seq_file *file, void *unused));
void net_helper_proc_remove(struct net *net, const char *name);
/* The namespace of such a file. */
struct net *net_helper_seq_net(struct seq_file *file);

#endif
