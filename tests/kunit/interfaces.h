/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interfaces of the stack, made by rtnetlink.
 */
#ifndef CAIF_KUNIT_INTERFACES_H
#define CAIF_KUNIT_INTERFACES_H

#include <linux/netdevice.h>

/*
 * Makes an interface with @queues over a link, by its number. Returns NULL on failure.
 */
struct net_device *caif_kunit_interface_new(int link, unsigned int queues);
void caif_kunit_interface_free(struct net_device *dev);
/* Unregisters an interface right after its link was set down and up, without releasing RTNL. */
int caif_kunit_interface_free_with(struct net_device *dev, struct net_device *link);
/* Sets the link of interfaces down and up so many times, without releasing RTNL. */
int caif_kunit_interface_restart_link(struct net_device *link, unsigned int times);
/* Lets it have no queueing discipline when it is set up. */
void caif_kunit_interface_no_queue(struct net_device *dev);
int caif_kunit_interface_up(struct net_device *dev);
/* Sends an IP packet by one of its queues, without a queueing discipline. */
int caif_kunit_interface_send(struct net_device *dev, unsigned int queue);
/* Sends an IP packet that left the queue before that was stopped. */
int caif_kunit_interface_send_late(struct net_device *dev);
/* Starts its queues, as if they had no discipline when they were stopped, and got one since. */
void caif_kunit_interface_new_queue(struct net_device *dev);
/* How many packets it dropped instead of sending them. */
unsigned int caif_kunit_interface_dropped(struct net_device *dev);
/*
 * The same with a packet that has the room around it that IP leaves for the interface. Tells
 * whether the link got it in other memory.
 */
int caif_kunit_interface_send_whole(struct net_device *dev, const void *packet, unsigned int len,
				    const struct net_device *link, bool *is_moved);
/*
 * Sends a packet to which somebody else has a reference, or of which somebody has a clone; says
 * whether that was changed.
 */
int caif_kunit_interface_send_held(struct net_device *dev, const void *packet, unsigned int len,
				   bool as_clone, bool *is_changed);
/* The same with a packet that has an owner, which it is given back to. */
int caif_kunit_interface_send_owned(struct net_device *dev, const void *packet, unsigned int len);
/* How many of those were given back, since the last call. */
int caif_kunit_packets_back(void);
/* The room that the interface wants in front of packets. */
unsigned int caif_kunit_interface_headroom(const struct net_device *dev);
/* Whether packets can be sent with interrupts disabled, by netpoll. */
bool caif_kunit_interface_has_netpoll(const struct net_device *dev);
/* How many of its queues take no packets. */
unsigned int caif_kunit_interface_stopped(const struct net_device *dev);

#endif
