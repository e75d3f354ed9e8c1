// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/netdevice.h>
#include <linux/platform_device.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <linux/virtio_config.h>
#include <linux/workqueue.h>

#include "helpers.h"

static struct netdev_queue *txq(const struct net_device *dev)
{
	return netdev_get_tx_queue(dev, 0);
}

void helper_netif_napi_add(struct net_device *dev, struct napi_struct *napi,
			   int (*poll)(struct napi_struct *napi, int budget))
{
	netif_napi_add(dev, napi, poll);
}

/* Not inlined: in interrupts, too, that would cost 2 instructions more. */
static noinline void napi_schedule_in_task(struct napi_struct *napi)
{
	local_bh_disable();
	napi_schedule(napi);
	local_bh_enable();
}

void helper_napi_schedule(struct napi_struct *napi)
{
	/*
	 * In a task with interrupts on, nothing would run the softirq before
	 * the next interrupt unless bottom halves are enabled again.
	 */
	if (in_task() && !irqs_disabled())
		napi_schedule_in_task(napi);
	else
		napi_schedule(napi);
}

void helper_netif_tx_lock(struct net_device *dev)
{
	__netif_tx_lock(txq(dev), smp_processor_id());
}

bool helper_netif_tx_trylock(struct net_device *dev)
{
	return __netif_tx_trylock(txq(dev));
}

void helper_netif_tx_unlock(struct net_device *dev)
{
	__netif_tx_unlock(txq(dev));
}

void helper_assert_netif_tx_locked(struct net_device *dev)
{
	lockdep_assert_held(&txq(dev)->_xmit_lock);
}

void helper_netif_tx_lock_bh(struct net_device *dev)
{
	__netif_tx_lock_bh(txq(dev));
}

void helper_netif_tx_unlock_bh(struct net_device *dev)
{
	__netif_tx_unlock_bh(txq(dev));
}

void helper_netif_stop_queue(struct net_device *dev)
{
	netif_tx_stop_queue(txq(dev));
}

void helper_netif_wake_queue(struct net_device *dev)
{
	netif_tx_wake_queue(txq(dev));
}

bool helper_netif_running(const struct net_device *dev)
{
	return netif_running(dev);
}

bool helper_netif_queue_stopped(const struct net_device *dev)
{
	return netif_tx_queue_stopped(txq(dev));
}

bool helper_netif_xmit_stopped(const struct net_device *dev)
{
	return netif_xmit_stopped(txq(dev));
}

void helper_netdev_completed_queue(struct net_device *dev, unsigned int pkts,
				   unsigned int bytes)
{
#ifdef CONFIG_BQL
	const struct dql *dql = &txq(dev)->dql;

	/* Clamps to the bytes that were sent: dql_completed() has a BUG_ON(). */
	bytes = min(bytes, dql->num_queued - dql->num_completed);
#endif
	netdev_tx_completed_queue(txq(dev), pkts, bytes);
}

void helper_netdev_tx_reset_queue(struct net_device *dev)
{
	netdev_tx_reset_queue(txq(dev));
	netif_schedule_queue(txq(dev));
}

void helper_netif_device_detach(struct net_device *dev)
{
	/*
	 * The lock itself: netif_tx_lock() only freezes the queue, which a device
	 * without a queueing discipline does not look at.
	 */
	__netif_tx_lock_bh(txq(dev));
	netif_device_detach(dev);
	__netif_tx_unlock_bh(txq(dev));
}

void helper_netif_device_attach(struct net_device *dev)
{
	netif_device_attach(dev);
	/* That starts the queue of a device that is up. Bringing one up does not start it. */
	if (!netif_running(dev))
		netif_tx_start_queue(txq(dev));
}

bool helper_netdev_xmit_more(void)
{
	return netdev_xmit_more();
}

void helper_set_offloads(struct net_device *dev)
{
	dev->hw_features |= NETIF_F_SG | NETIF_F_HW_CSUM;
	dev->features |= dev->hw_features | NETIF_F_HIGHDMA;
	dev->priv_flags |= IFF_SUPP_NOFCS;
}

int helper_skb_copy(const struct sk_buff *skb, void *to, int len)
{
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return skb_copy_bits(skb, 0, to, len);
	skb_copy_and_csum_dev(skb, to);
	return 0;
}

void helper_virtio_init_unregistered(struct virtio_device *vdev)
{
	spin_lock_init(&vdev->vqs_list_lock);
	INIT_LIST_HEAD(&vdev->vqs);
}

static int release_child(struct device *dev, void *drv)
{
	if (READ_ONCE(dev->driver) == drv)
		device_release_driver(dev);
	return 0;
}

static const struct device_driver *child_driver;

/*
 * The rwsem of the bus's notifiers is held for reading while the driver is unbound,
 * which waits for RTNL, for the lock of the virtio device and for a kick. Who takes it
 * for writing adds or removes a notifier, and holds none of these. But a writer that
 * waits keeps new readers out, which are all that add, remove, bind or unbind a
 * platform device: one that does so with RTNL held would complete a deadlock. None is
 * known in Linux 7.3. And an unbind removes no platform device itself. The KUnit case
 * transport_that_is_unbound shows the order to lockdep.
 */
static int parent_event(struct notifier_block *nb, unsigned long event, void *dev)
{
	if (event == BUS_NOTIFY_UNBIND_DRIVER)
		device_for_each_child(dev, (void *)child_driver, release_child);
	return NOTIFY_DONE;
}

static struct notifier_block parent_notifier = { .notifier_call = parent_event };

int helper_unbind_before_parent(const struct device_driver *drv)
{
	child_driver = drv;
	return bus_register_notifier(&platform_bus_type, &parent_notifier);
}

void helper_unbind_before_parent_end(void)
{
	bus_unregister_notifier(&platform_bus_type, &parent_notifier);
}

void helper_virtio_set_status(struct virtio_device *vdev, u8 status)
{
	vdev->config->set_status(vdev, status);
}

void helper_virtio_clear_bit(struct virtio_device *vdev, unsigned int bit)
{
	__virtio_clear_bit(vdev, bit);
}

bool helper_virtio_has_feature(const struct virtio_device *vdev, unsigned int bit)
{
	/* A bit that the driver does not list is a BUG() in virtio_has_feature(). */
	return __virtio_test_bit(vdev, bit);
}

void helper_timer_setup(struct timer_list *timer, void (*func)(struct timer_list *timer))
{
	timer_setup(timer, func, 0);
}

void helper_timer_start_unless_pending(struct timer_list *timer, unsigned int ms)
{
	timer_reduce(timer, jiffies + msecs_to_jiffies(ms));
}

void helper_timer_start(struct timer_list *timer, unsigned int ms)
{
	mod_timer(timer, jiffies + msecs_to_jiffies(ms));
}

void helper_init_work(struct work_struct *work, void (*func)(struct work_struct *work))
{
	INIT_WORK(work, func);
}

void helper_schedule_work(struct work_struct *work)
{
	queue_work(system_highpri_wq, work);
}
