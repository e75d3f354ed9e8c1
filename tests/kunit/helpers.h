/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the KUnit module needs of the network stack and of memory management,
 * where the kernel's headers have only static inlines or macros.
 */
#ifndef CAIF_KUNIT_HELPERS_H
#define CAIF_KUNIT_HELPERS_H

#include <linux/netdevice.h>
#include <linux/remoteproc.h>
#include <linux/skbuff.h>

/* Where the CPU has a physical address of its own RAM, NULL if it is none. */
void *caif_kunit_phys_to_virt(u64 pa);

bool caif_kunit_is_below(const struct device *dev, const struct device *ancestor);
/* The first network device below @ancestor, without a reference. */
struct net_device *caif_kunit_find_netdev(const struct device *ancestor);
int caif_kunit_open(struct net_device *dev);
void caif_kunit_close(struct net_device *dev);
/* Waits for the end of polling. */
void caif_kunit_settle(struct net_device *dev);
/*
 * Polls as netpoll does, which is to complete transmissions only: without being
 * the one who scheduled the instance, and perhaps in an interrupt while this CPU
 * is sending.
 */
void caif_kunit_poll_without_budget(struct net_device *dev);
void caif_kunit_poll_while_sending(struct net_device *dev);
bool caif_kunit_carrier_ok(const struct net_device *dev);
bool caif_kunit_is_running(const struct net_device *dev);
bool caif_kunit_is_present(const struct net_device *dev);
bool caif_kunit_is_stopped(const struct net_device *dev);
/* Lets the byte queue limits forget what was sent. */
void caif_kunit_reset_bql(struct net_device *dev);
/* Keeps the byte queue limits from stopping the queue before the driver does. */
void caif_kunit_no_bql(struct net_device *dev);
/* Sends a copy of a frame through the queueing discipline. */
int caif_kunit_send(struct net_device *dev, const void *frame, unsigned int len);
/* As above, with a destructor, which needs no argument. */
int caif_kunit_send_watched(struct net_device *dev, const void *frame, unsigned int len,
			    void (*destructor)(struct sk_buff *skb));
/*
 * Sends a copy of a frame whose bytes from @linear on are in a page, and whose checksum is to be
 * made from @start on, and put @offset bytes behind that.
 */
int caif_kunit_send_in_pieces(struct net_device *dev, const void *frame, unsigned int len,
			      unsigned int linear, unsigned int start, unsigned int offset);
/*
 * As caif_kunit_send_watched(), without the queueing discipline: what __dev_queue_xmit() does for a
 * device that has none, which is not to look at whether the queue is frozen; and
 * pktgen, for one that is not quite up. -EBUSY if the queue is stopped.
 */
int caif_kunit_send_directly(struct net_device *dev, const void *frame, unsigned int len,
			     void (*destructor)(struct sk_buff *skb));
/* Where the flags are of a device that is there, or up. */
void *caif_kunit_state_place(struct net_device *dev);

void caif_kunit_consume_skb(struct sk_buff *skb);
void caif_kunit_skb_queue_head_init(struct sk_buff_head *list);
/* Queues a private skb, or drops it if there is no memory to make it one. */
void caif_kunit_skb_keep(struct sk_buff_head *list, struct sk_buff *skb);

unsigned long caif_kunit_irq_save(void);
void caif_kunit_irq_restore(unsigned long flags);
void caif_kunit_bh_disable(void);
void caif_kunit_bh_enable(void);
void caif_kunit_cond_resched(void);
u64 caif_kunit_milliseconds(void);
unsigned int caif_kunit_cpus(void);

/* Unbinds the driver of the virtio device below @ancestor. */
int caif_kunit_unbind(struct device *ancestor);
/* Binds the driver @name to it: returns what its probe does. */
int caif_kunit_bind(struct device *ancestor, const char *name);
/* What remoteproc finds an interrupt's vring by: taken away, and put back. */
void *caif_kunit_take_notify_id(struct rproc *rproc, int id);
int caif_kunit_put_notify_id(struct rproc *rproc, int id, void *vring);
/*
 * What rproc_vq_interrupt() does, in two steps, between which it may be preempted:
 * it takes the virtqueue of a vring, NULL if there is none, and interrupts it.
 */
struct virtqueue *caif_kunit_taken_vq(struct rproc *rproc, int id);
bool caif_kunit_vring_interrupt(struct virtqueue *vq);
/* The last step of that, for one that saw a used buffer before it was preempted. */
void caif_kunit_vq_callback(struct virtqueue *vq);
/* Where remoteproc has the virtqueue of a vring. */
void *caif_kunit_vq_place(struct rproc *rproc, int id);
/* Unbinds the driver of the device in between, rproc-virtio. */
int caif_kunit_unbind_transport(struct device *ancestor);
/* As flush_workqueue(), which warns of the kernel's own queues. */
void caif_kunit_flush_freezable(void);
/* What rproc_fw_boot() leaves when rproc_parse_fw() fails, for one without a user. */
int caif_kunit_fail_boot(struct rproc *rproc);
bool caif_kunit_has_carveouts(struct rproc *rproc);
/* Makes it one with a single user. */
void caif_kunit_add_user(struct rproc *rproc);
/*
 * Keeps the virtio device below @ancestor, with a pool of its parent's that it would
 * release with its last reference, until that is called.
 */
struct device *caif_kunit_hold_pool(struct device *ancestor);
void caif_kunit_release_pool(struct device *dev);

/*
 * Calls @handler, as if by an NMI, after each access of a CPU to the @len bytes
 * at @place; one place at a time. Does not sleep there; may sleep here.
 */
int caif_kunit_trap(const void *place, unsigned int len, void (*handler)(void));
void caif_kunit_untrap(void);

struct device *caif_kunit_sleepy_platform(void);
void caif_kunit_sleepy_platform_put(struct device *dev);
void caif_kunit_might_sleep(void);
int caif_kunit_sleep(struct device *ancestor, int which);
/* What the bus does with the virtio device when the machine shuts down. */
int caif_kunit_shutdown(struct device *ancestor);
int caif_kunit_counter(struct net_device *dev, const char *name, u64 *value);

#endif
