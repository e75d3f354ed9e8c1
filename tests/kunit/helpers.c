// SPDX-License-Identifier: GPL-2.0

#include <linux/bottom_half.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/hw_breakpoint.h>
#include <linux/idr.h>
#include <linux/if_ether.h>
#include <linux/io.h>
#include <linux/kasan.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/netdevice.h>
#include <linux/perf_event.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/remoteproc.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/virtio.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>

#include "helpers.h"

void *caif_kunit_phys_to_virt(u64 pa)
{
	return pfn_valid(PHYS_PFN(pa)) ? phys_to_virt(pa) : NULL;
}

void caif_kunit_only_io(const void *from, size_t len, bool on)
{
#ifdef CONFIG_KASAN_GENERIC
	/* A byte of shadow for each 8: 0 if all may be accessed, negative if none may. */
	__memset(kasan_mem_to_shadow(from), on ? 0xff : 0, len >> KASAN_SHADOW_SCALE_SHIFT);
#endif
}

bool caif_kunit_is_below(const struct device *dev, const struct device *ancestor)
{
	while (dev && dev != ancestor)
		dev = dev->parent;
	return dev;
}

struct net_device *caif_kunit_find_netdev(const struct device *ancestor)
{
	struct net_device *dev, *found = NULL;

	rtnl_lock();
	for_each_netdev(&init_net, dev) {
		if (caif_kunit_is_below(dev->dev.parent, ancestor)) {
			found = dev;
			break;
		}
	}
	rtnl_unlock();
	return found;
}

int caif_kunit_open(struct net_device *dev)
{
	int ret;

	rtnl_lock();
	ret = dev_open(dev, NULL);
	rtnl_unlock();
	return ret;
}

void caif_kunit_close(struct net_device *dev)
{
	rtnl_lock();
	dev_close(dev);
	rtnl_unlock();
}

void caif_kunit_settle(struct net_device *dev)
{
	struct napi_struct *napi;

	list_for_each_entry(napi, &dev->napi_list, dev_list)
		napi_synchronize(napi);
}

static void poll_without_budget(struct net_device *dev)
{
	struct napi_struct *napi;

	list_for_each_entry(napi, &dev->napi_list, dev_list)
		napi->poll(napi, 0);
}

void caif_kunit_poll_without_budget(struct net_device *dev)
{
	local_bh_disable();
	poll_without_budget(dev);
	local_bh_enable();
}

void caif_kunit_poll_while_sending(struct net_device *dev)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, 0);

	local_bh_disable();
	__netif_tx_lock(queue, smp_processor_id());
	poll_without_budget(dev);
	__netif_tx_unlock(queue);
	local_bh_enable();
}

bool caif_kunit_carrier_ok(const struct net_device *dev)
{
	return netif_carrier_ok(dev);
}

bool caif_kunit_is_running(const struct net_device *dev)
{
	return netif_running(dev);
}

bool caif_kunit_is_present(const struct net_device *dev)
{
	return netif_device_present(dev);
}

bool caif_kunit_is_stopped(const struct net_device *dev)
{
	return netif_tx_queue_stopped(netdev_get_tx_queue(dev, 0));
}

void caif_kunit_reset_bql(struct net_device *dev)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, 0);

	local_bh_disable();
	__netif_tx_lock(queue, smp_processor_id());
	netdev_tx_reset_queue(queue);
	__netif_tx_unlock(queue);
	local_bh_enable();
}

void caif_kunit_no_bql(struct net_device *dev)
{
	netdev_queue_set_dql_min_limit(netdev_get_tx_queue(dev, 0), 1 << 24);
}

int caif_kunit_send(struct net_device *dev, const void *frame, unsigned int len)
{
	return caif_kunit_send_watched(dev, frame, len, NULL);
}

static struct sk_buff *packet(struct net_device *dev, const void *frame, unsigned int len,
			      void (*destructor)(struct sk_buff *skb))
{
	struct sk_buff *skb = alloc_skb(LL_RESERVED_SPACE(dev) + len, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	skb_reset_network_header(skb);
	skb_put_data(skb, frame, len);
	skb->dev = dev;
	skb->protocol = htons(ETH_P_CAIF);
	skb->destructor = destructor;
	return skb;
}

int caif_kunit_send_watched(struct net_device *dev, const void *frame, unsigned int len,
			    void (*destructor)(struct sk_buff *skb))
{
	struct sk_buff *skb = packet(dev, frame, len, destructor);

	return skb ? dev_queue_xmit(skb) : -ENOMEM;
}

int caif_kunit_send_in_pieces(struct net_device *dev, const void *frame, unsigned int len,
			      unsigned int linear, unsigned int start, unsigned int offset)
{
	struct sk_buff *skb = packet(dev, frame, linear, NULL);
	struct page *page;

	if (!skb)
		return -ENOMEM;
	page = alloc_page(GFP_KERNEL);
	if (!page) {
		kfree_skb(skb);
		return -ENOMEM;
	}
	memcpy(page_address(page), frame + linear, len - linear);
	skb_add_rx_frag(skb, 0, page, 0, len - linear, PAGE_SIZE);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + start;
	skb->csum_offset = offset;
	return dev_queue_xmit(skb);
}

int caif_kunit_send_directly(struct net_device *dev, const void *frame, unsigned int len,
			     void (*destructor)(struct sk_buff *skb))
{
	struct sk_buff *skb = packet(dev, frame, len, destructor);
	struct netdev_queue *queue = netdev_get_tx_queue(dev, 0);
	netdev_tx_t ret = NETDEV_TX_BUSY;

	if (!skb)
		return -ENOMEM;
	local_bh_disable();
	__netif_tx_lock(queue, smp_processor_id());
	if (!netif_xmit_stopped(queue))
		ret = netdev_start_xmit(skb, dev, queue, false);
	__netif_tx_unlock(queue);
	local_bh_enable();
	if (dev_xmit_complete(ret))
		return 0;
	skb->destructor = NULL;
	kfree_skb(skb);
	return -EBUSY;
}

void caif_kunit_consume_skb(struct sk_buff *skb)
{
	dev_consume_skb_any(skb);
}

void caif_kunit_skb_queue_head_init(struct sk_buff_head *list)
{
	skb_queue_head_init(list);
}

void caif_kunit_skb_keep(struct sk_buff_head *list, struct sk_buff *skb)
{
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (skb)
		skb_queue_tail(list, skb);
}

unsigned long caif_kunit_irq_save(void)
{
	unsigned long flags;

	local_irq_save(flags);
	return flags;
}

void caif_kunit_irq_restore(unsigned long flags)
{
	local_irq_restore(flags);
}

void caif_kunit_bh_disable(void)
{
	local_bh_disable();
}

void caif_kunit_bh_enable(void)
{
	local_bh_enable();
}

void caif_kunit_cond_resched(void)
{
	cond_resched();
}

u64 caif_kunit_milliseconds(void)
{
	return div_u64(ktime_get_mono_fast_ns(), NSEC_PER_MSEC);
}

unsigned int caif_kunit_cpus(void)
{
	return num_online_cpus();
}

static int match_virtio(struct device *dev, void *data)
{
	struct device **found = data;

	/* By name: the bus of virtio has no public symbol. */
	if (dev->bus && !strcmp(dev->bus->name, "virtio")) {
		*found = get_device(dev);
		return 1;
	}
	return device_for_each_child(dev, data, match_virtio);
}

/* The virtio device below @ancestor, with a reference, or NULL. */
static struct device *find_virtio(struct device *ancestor)
{
	struct device *dev = NULL;

	device_for_each_child(ancestor, &dev, match_virtio);
	return dev;
}

int caif_kunit_unbind(struct device *ancestor)
{
	struct device *dev = find_virtio(ancestor);

	if (!dev)
		return -ENODEV;
	device_release_driver(dev);
	put_device(dev);
	return 0;
}

int caif_kunit_bind(struct device *ancestor, const char *name)
{
	struct device *dev = find_virtio(ancestor);
	struct device_driver *drv;
	int ret = -ENODEV;

	if (!dev)
		return -ENODEV;
	drv = driver_find(name, dev->bus);
	if (drv)
		ret = device_driver_attach(drv, dev);
	put_device(dev);
	return ret;
}

void *caif_kunit_take_notify_id(struct rproc *rproc, int id)
{
	void *vring;

	mutex_lock(&rproc->lock);
	vring = idr_remove(&rproc->notifyids, id);
	mutex_unlock(&rproc->lock);
	return vring;
}

int caif_kunit_put_notify_id(struct rproc *rproc, int id, void *vring)
{
	int ret;

	mutex_lock(&rproc->lock);
	ret = idr_alloc(&rproc->notifyids, vring, id, id + 1, GFP_KERNEL);
	mutex_unlock(&rproc->lock);
	return ret < 0 ? ret : 0;
}

#ifdef CONFIG_X86
static struct perf_event * __percpu *trap;
static void (*trap_handler)(void);

static void trapped(struct perf_event *event, struct perf_sample_data *data,
		    struct pt_regs *regs)
{
	trap_handler();
}

int caif_kunit_trap(const void *place, unsigned int len, void (*handler)(void))
{
	struct perf_event_attr attr;

	hw_breakpoint_init(&attr);
	attr.bp_addr = (unsigned long)place;
	attr.bp_len = len;
	attr.bp_type = HW_BREAKPOINT_RW;
	trap_handler = handler;
	trap = register_wide_hw_breakpoint(&attr, trapped, NULL);
	return PTR_ERR_OR_ZERO((void __force *)trap);
}

void caif_kunit_untrap(void)
{
	unregister_wide_hw_breakpoint(trap);
}
#endif

static int sleepy_probe(struct platform_device *pdev)
{
	return 0;
}

/* By the name of one whose kicks wait for a mailbox. */
static struct platform_driver sleepy_driver = {
	.probe = sleepy_probe,
	.driver = { .name = "imx-rproc" },
};

struct device *caif_kunit_sleepy_platform(void)
{
	struct platform_device *pdev;

	if (platform_driver_register(&sleepy_driver))
		return NULL;
	pdev = platform_device_register_simple("imx-rproc", PLATFORM_DEVID_AUTO, NULL, 0);
	if (IS_ERR(pdev)) {
		platform_driver_unregister(&sleepy_driver);
		return NULL;
	}
	return &pdev->dev;
}

void caif_kunit_sleepy_platform_put(struct device *dev)
{
	platform_device_unregister(to_platform_device(dev));
	platform_driver_unregister(&sleepy_driver);
}

void caif_kunit_might_sleep(void)
{
	might_sleep();
}

int caif_kunit_sleep(struct device *ancestor, int which)
{
	struct device *dev = find_virtio(ancestor);
	const struct dev_pm_ops *pm;
	int ret = -ENODEV;

	if (!dev)
		return -ENODEV;
	device_lock(dev);
	if (dev->driver && dev->driver->pm) {
		pm = dev->driver->pm;
		if (which == 0)
			ret = pm->suspend(dev);
		else if (which == 1)
			ret = pm->resume(dev);
		else
			ret = pm->restore(dev);
	}
	device_unlock(dev);
	put_device(dev);
	return ret;
}

int caif_kunit_shutdown(struct device *ancestor)
{
	struct device *dev = find_virtio(ancestor);

	if (!dev)
		return -ENODEV;
	device_lock(dev);
	dev->bus->shutdown(dev);
	device_unlock(dev);
	put_device(dev);
	return 0;
}

int caif_kunit_counter(struct net_device *dev, const char *name, u64 *value)
{
	const struct ethtool_ops *ops = dev->ethtool_ops;
	struct ethtool_stats stats = { .cmd = ETHTOOL_GSTATS };
	char (*names)[ETH_GSTRING_LEN];
	int i, count, ret = -ENOENT;
	u64 *values;

	rtnl_lock();
	count = ops->get_sset_count(dev, ETH_SS_STATS);
	names = kcalloc(count, sizeof(*names), GFP_KERNEL);
	values = kcalloc(count, sizeof(*values), GFP_KERNEL);
	if (names && values) {
		ops->get_strings(dev, ETH_SS_STATS, (u8 *)names);
		ops->get_ethtool_stats(dev, &stats, values);
		for (i = 0; i < count; i++) {
			if (strcmp(names[i], name))
				continue;
			*value = values[i];
			ret = 0;
		}
	}
	kfree(names);
	kfree(values);
	rtnl_unlock();
	return ret;
}

struct virtqueue *caif_kunit_taken_vq(struct rproc *rproc, int id)
{
	struct rproc_vring *vring = idr_find(&rproc->notifyids, id);

	return vring ? READ_ONCE(vring->vq) : NULL;
}

void *caif_kunit_vq_place(struct rproc *rproc, int id)
{
	struct rproc_vring *vring = idr_find(&rproc->notifyids, id);

	return vring ? &vring->vq : NULL;
}

bool caif_kunit_vring_interrupt(struct virtqueue *vq)
{
	return vring_interrupt(0, vq) == IRQ_HANDLED;
}

void caif_kunit_vq_callback(struct virtqueue *vq)
{
	vq->callback(vq);
}

int caif_kunit_unbind_transport(struct device *ancestor)
{
	struct device *dev = find_virtio(ancestor);

	if (!dev)
		return -ENODEV;
	device_release_driver(dev->parent);
	put_device(dev);
	return 0;
}

void *caif_kunit_state_place(struct net_device *dev)
{
	return &dev->state;
}

void caif_kunit_flush_freezable(void)
{
	__flush_workqueue(system_freezable_wq);
}

int caif_kunit_fail_boot(struct rproc *rproc)
{
	int ret;

	mutex_lock(&rproc->lock);
	rproc->state = RPROC_OFFLINE;
	ret = rproc->ops->prepare(rproc);
	mutex_unlock(&rproc->lock);
	return ret;
}

bool caif_kunit_has_carveouts(struct rproc *rproc)
{
	bool ret;

	mutex_lock(&rproc->lock);
	ret = !list_empty(&rproc->carveouts);
	mutex_unlock(&rproc->lock);
	return ret;
}

void caif_kunit_add_user(struct rproc *rproc)
{
	mutex_lock(&rproc->lock);
	atomic_set(&rproc->power, 1);
	mutex_unlock(&rproc->lock);
}

struct device *caif_kunit_hold_pool(struct device *ancestor)
{
	/* The type is private. All zero, it has no bytes, and none is freed into it. */
	void *pool = kzalloc(512, GFP_KERNEL);
	struct device *dev = find_virtio(ancestor);

	if (!pool || !dev || dev->parent->dma_mem) {
		kfree(pool);
		put_device(dev);
		return NULL;
	}
	WRITE_ONCE(dev->parent->dma_mem, pool);
	return dev;
}

void caif_kunit_release_pool(struct device *dev)
{
	void *pool = dev->parent->dma_mem;

	WRITE_ONCE(dev->parent->dma_mem, NULL);
	kfree(pool);
	put_device(dev);
}
