/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames that the modem behind a fake link sends.
 */
#ifndef CAIF_KUNIT_FRAMES_H
#define CAIF_KUNIT_FRAMES_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

/* Length, link id, and check sequence of a frame. */
#define FRONT 3
#define BACK 2

/* Puts length and link id of a frame with a body of so many bytes. */
void caif_kunit_put_front(struct sk_buff *skb, u8 id, unsigned int body);
/* An answer, which may come while the stack sends. */
void caif_kunit_deliver(struct net_device *dev, struct sk_buff *skb);
/*
 * Calls the stack, in process context. Packets of one task stay in their order and take no room in
 * the backlog, which with PREEMPT_RT a thread of each CPU handles.
 */
void caif_kunit_receive(struct net_device *dev, struct sk_buff *skb);

#endif
