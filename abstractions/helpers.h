/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions for callers in Rust, which cannot call static inlines and macros of
 * the kernel's headers. One without a comment does what the function or the
 * operation of its name does, except that no argument leads to a BUG(). The
 * transmit queue is always the device's first.
 */
#ifndef ABSTRACTIONS_HELPERS_H
#define ABSTRACTIONS_HELPERS_H

#include <linux/netdevice.h>
#include <linux/timer.h>
#include <linux/virtio_config.h>

/* Where a device has its private data, see netdev_priv(). */
enum { HELPER_NETDEV_PRIV = offsetof(struct net_device, priv) };

/* The values of enum netdev_tx, whose type is in bindings.rs. */
enum {
	HELPER_NETDEV_TX_OK = NETDEV_TX_OK,
	HELPER_NETDEV_TX_BUSY = NETDEV_TX_BUSY,
};

void helper_netif_napi_add(struct net_device *dev, struct napi_struct *napi,
			   int (*poll)(struct napi_struct *napi, int budget));
/* For any context: in a task with interrupts on, the softirq does not wait for the next one. */
void helper_napi_schedule(struct napi_struct *napi);

void helper_netif_tx_lock(struct net_device *dev);
bool helper_netif_tx_trylock(struct net_device *dev);
void helper_netif_tx_unlock(struct net_device *dev);
/* Lockdep checks that the lock is held. */
void helper_assert_netif_tx_locked(struct net_device *dev);
/* The same lock, for process context. */
void helper_netif_tx_lock_bh(struct net_device *dev);
void helper_netif_tx_unlock_bh(struct net_device *dev);
void helper_netif_stop_queue(struct net_device *dev);
void helper_netif_wake_queue(struct net_device *dev);
bool helper_netif_running(const struct net_device *dev);
bool helper_netif_queue_stopped(const struct net_device *dev);
bool helper_netif_xmit_stopped(const struct net_device *dev);
/* Bytes that were not counted as sent are left out. */
void helper_netdev_completed_queue(struct net_device *dev, unsigned int pkts,
				   unsigned int bytes);
/* Resets the byte queue limits, and schedules the queue, which they may have stopped. */
void helper_netdev_tx_reset_queue(struct net_device *dev);
bool helper_netdev_xmit_more(void);
/* Takes the lock of the transmit queue: afterwards no packet is being sent. */
void helper_netif_device_detach(struct net_device *dev);
/* Starts the queue as well. With RTNL. */
void helper_netif_device_attach(struct net_device *dev);

/*
 * Lets a new device be given packets in pieces, with their checksums still to be made, and without
 * check sequence as well as with one.
 */
void helper_set_offloads(struct net_device *dev);
/* Copies the @len bytes of a packet, and makes its checksum there if that is still to be made. */
int helper_skb_copy(const struct sk_buff *skb, void *to, int len);

/* Initializes the members of a zeroed device that its virtqueues use. */
void helper_virtio_init_unregistered(struct virtio_device *vdev);
/*
 * Unbinds the module's one driver from a device when the driver of its parent, on
 * the platform bus, is about to be unbound, until the end is called.
 */
int helper_unbind_before_parent(const struct device_driver *drv);
void helper_unbind_before_parent_end(void);
void helper_virtio_set_status(struct virtio_device *vdev, u8 status);
void helper_virtio_clear_bit(struct virtio_device *vdev, unsigned int bit);
bool helper_virtio_has_feature(const struct virtio_device *vdev, unsigned int bit);

void helper_timer_setup(struct timer_list *timer, void (*func)(struct timer_list *timer));
/* Starts a timer, or starts it again, to expire in so many milliseconds. */
void helper_timer_start(struct timer_list *timer, unsigned int ms);
/* All callers pass the same delay, so that a pending timer expires no later. */
void helper_timer_start_unless_pending(struct timer_list *timer, unsigned int ms);

void helper_init_work(struct work_struct *work, void (*func)(struct work_struct *work));
/* Queues the work on system_highpri_wq. */
void helper_schedule_work(struct work_struct *work);

#endif
