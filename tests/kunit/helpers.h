/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions of the network stack and of memory management for the KUnit module,
 * for which the kernel's headers have only static inlines or macros.
 */
#ifndef CAIF_KUNIT_HELPERS_H
#define CAIF_KUNIT_HELPERS_H

#include <linux/netdevice.h>
#include <linux/remoteproc.h>
#include <linux/skbuff.h>

/* The mapping of a physical address of RAM, NULL for other addresses. */
void *caif_kunit_phys_to_virt(u64 pa);
/*
 * Lets a kernel with KASAN report each access to @len bytes at @from, multiples of 8, but those of
 * the functions for I/O memory, which it does not look at.
 */
void caif_kunit_only_io(const void *from, size_t len, bool on);

bool caif_kunit_is_below(const struct device *dev, const struct device *ancestor);
/* The first network device below @ancestor, without a reference. */
struct net_device *caif_kunit_find_netdev(const struct device *ancestor);
int caif_kunit_open(struct net_device *dev);
void caif_kunit_close(struct net_device *dev);
/* Waits for the end of polling. */
void caif_kunit_settle(struct net_device *dev);
/*
 * Polls as netpoll does, only to complete transmissions: without having
 * scheduled the instance, and perhaps in an interrupt while this CPU is sending.
 */
void caif_kunit_poll_without_budget(struct net_device *dev);
void caif_kunit_poll_while_sending(struct net_device *dev);
bool caif_kunit_carrier_ok(const struct net_device *dev);
bool caif_kunit_is_running(const struct net_device *dev);
bool caif_kunit_is_present(const struct net_device *dev);
bool caif_kunit_is_stopped(const struct net_device *dev);
/* Resets the byte queue limits. */
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
 * Like caif_kunit_send_watched(), without the queueing discipline: as __dev_queue_xmit() for a
 * device that has none, which does not check whether the queue is frozen, and as pktgen for a
 * device that is coming up. -EBUSY if the queue is stopped.
 */
int caif_kunit_send_directly(struct net_device *dev, const void *frame, unsigned int len,
			     void (*destructor)(struct sk_buff *skb));
/* The address of the flags "present" and "up" of a device. */
void *caif_kunit_state_place(struct net_device *dev);

void caif_kunit_consume_skb(struct sk_buff *skb);
void caif_kunit_skb_queue_head_init(struct sk_buff_head *list);
/* Queues a private copy of an skb, or drops it if there is no memory. */
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
/* Removes and restores the entry by which remoteproc finds the vring of an interrupt. */
void *caif_kunit_take_notify_id(struct rproc *rproc, int id);
int caif_kunit_put_notify_id(struct rproc *rproc, int id, void *vring);
/*
 * rproc_vq_interrupt() in two steps, between which it may be preempted: finding
 * the virtqueue of a vring, NULL if there is none, and interrupting it.
 */
struct virtqueue *caif_kunit_taken_vq(struct rproc *rproc, int id);
bool caif_kunit_vring_interrupt(struct virtqueue *vq);
/* The second step of a call that saw a used buffer before it was preempted. */
void caif_kunit_vq_callback(struct virtqueue *vq);
/* The place where remoteproc stores the virtqueue of a vring. */
void *caif_kunit_vq_place(struct rproc *rproc, int id);
/* Unbinds rproc-virtio, the driver of the parent device. */
int caif_kunit_unbind_transport(struct device *ancestor);
/* As flush_workqueue(), which warns of the kernel's own queues. */
void caif_kunit_flush_freezable(void);
/* Leaves a processor without a user as rproc_fw_boot() does if rproc_parse_fw() fails. */
int caif_kunit_fail_boot(struct rproc *rproc);
bool caif_kunit_has_carveouts(struct rproc *rproc);
/*
 * Changes a byte of the processor's table as soon as rproc-virtio binds to the device
 * that was made by the table, until the end, which returns whether that was done.
 */
int caif_kunit_change_at_bind(const struct device *ancestor, void *place, u8 value);
bool caif_kunit_change_at_bind_end(void);
/* Removes and restores the name of the processor's device, without which it cannot be added. */
const char *caif_kunit_take_name(struct rproc *rproc);
void caif_kunit_put_name(struct rproc *rproc, const char *name);
unsigned int caif_kunit_references(const struct rproc *rproc);
/* Gives the processor a single user. */
void caif_kunit_add_user(struct rproc *rproc);
/*
 * Holds the virtio device below @ancestor, and with it a pool that is released with
 * its last reference, until caif_kunit_release_pool() is called.
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
/* Shuts the virtio device down, as the bus does at a shutdown of the machine. */
int caif_kunit_shutdown(struct device *ancestor);
int caif_kunit_counter(struct net_device *dev, const char *name, u64 *value);

#endif
