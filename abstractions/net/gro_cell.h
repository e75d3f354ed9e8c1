/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A place in which a virtual device gathers what a lower one received, so that
 * segments of a flow are merged: what one poll of the lower device came to is one
 * batch. Like the kernel's gro_cells, which a module cannot use unless another
 * option of the kernel selects them.
 */
#ifndef ABSTRACTIONS_NET_GRO_CELL_H
#define ABSTRACTIONS_NET_GRO_CELL_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

struct net_gro_cell {
	struct napi_struct napi;
	/* Also protects what follows. */
	struct sk_buff_head queue;
	bool open;
};

/* Makes the cell of a device, which has no other NAPI instance, and frees it. */
void net_gro_cell_init(struct net_gro_cell *cell, struct net_device *dev);
/* The device is set up, or down: packets are taken, or not any more. Process context: may sleep. */
void net_gro_cell_open(struct net_gro_cell *cell);
void net_gro_cell_close(struct net_gro_cell *cell);
/*
 * Lets a device receive a packet, which is complete but for its checksum, by way of its cell if it has
 * one and the packet may be part of a flow. Bottom halves must be off.
 */
void net_gro_cell_receive(struct net_device *dev, struct sk_buff *skb);

#endif
