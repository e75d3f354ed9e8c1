/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A queue with a NAPI instance, by which a virtual device merges segments of a flow
 * (GRO): the packets that one poll of the lower device received are one batch. Like
 * the kernel's gro_cells, which a module cannot use unless another option of the
 * kernel selects them.
 */
#ifndef ABSTRACTIONS_NET_GRO_CELL_H
#define ABSTRACTIONS_NET_GRO_CELL_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
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
/* Starts and stops taking packets: the device is set up, or down. Process context: may sleep. */
void net_gro_cell_open(struct net_gro_cell *cell);
void net_gro_cell_close(struct net_gro_cell *cell);
/* Merges a packet with others of its flow by way of the cell, if the device has one. */
void net_gro_cell_merge(struct net_device *dev, struct sk_buff *skb);

/* Whether a packet is TCP: GRO without further receivers merges TCP only. */
static inline bool net_gro_cell_wants(const struct sk_buff *skb)
{
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return skb_headlen(skb) >= sizeof(struct iphdr) &&
		       ((const struct iphdr *)skb->data)->protocol == IPPROTO_TCP;
	case htons(ETH_P_IPV6):
		return skb_headlen(skb) >= sizeof(struct ipv6hdr) &&
		       ((const struct ipv6hdr *)skb->data)->nexthdr == IPPROTO_TCP;
	default:
		return false;
	}
}

/* Lets a device receive a packet with all but its checksum known. Bottom halves must be off. */
static inline void net_gro_cell_receive(struct net_device *dev, struct sk_buff *skb)
{
	if (net_gro_cell_wants(skb))
		net_gro_cell_merge(dev, skb);
	else
		netif_receive_skb(skb);
}

#endif
