/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual device with a GRO cell, and what becomes of packets that are given to it.
 */
#ifndef CAIF_KUNIT_CELLS_H
#define CAIF_KUNIT_CELLS_H

#include <linux/netdevice.h>
#include <linux/skbuff.h>

/* What is counted of the packets of a device, since it was made. */
enum {
	CAIF_KUNIT_OFFERED,
	CAIF_KUNIT_RECEIVED,
	CAIF_KUNIT_DROPPED,
	/* Those that were received or dropped among them. */
	CAIF_KUNIT_FREED,
	/* Most that waited at the same time. */
	CAIF_KUNIT_MOST,
};

/* Makes a device that is up. Returns NULL on failure. */
struct net_device *caif_kunit_cell_new(void);
void caif_kunit_cell_free(struct net_device *dev);
/* Gives packets to the cell of the device. */
void caif_kunit_cell_offer(struct net_device *dev, unsigned int packets);
/* Gives two more to it for each packet that is received, up to so many in all. */
void caif_kunit_cell_multiply(struct net_device *dev, unsigned int most);
int caif_kunit_cell_count(const struct net_device *dev, unsigned int what);
/* Keeps the cell from being polled, as long as it is not released. Returns whether it does. */
bool caif_kunit_cell_hold(struct net_device *dev);
void caif_kunit_cell_release(struct net_device *dev);
/* Begins to set the device down, in another task, and waits for the end of that. */
void caif_kunit_cell_close_begin(struct net_device *dev);
void caif_kunit_cell_close_end(struct net_device *dev);
/* Whether the cell takes no packets any more. */
bool caif_kunit_cell_is_closing(struct net_device *dev);
/* Waits until the cell is closed completely, at most that long. Returns whether it is. */
bool caif_kunit_cell_closes(struct net_device *dev, unsigned int ms);
/* Waits until so many packets were freed, at most that long. */
void caif_kunit_cell_frees(int count, unsigned int ms);

/*
 * Lets a device of its own receive a packet of another device, with this hash and receive queue.
 * Returns 0, and the hash and whether there is a receive queue that the packet has then.
 */
int caif_kunit_receive_hash(struct net_device *dev, bool is_l4, unsigned int *hash, bool *queue);
/* The same with a packet that has an owner. Returns whether it has one then. */
int caif_kunit_receive_owned(struct net_device *dev, bool *has_owner);
/* Puts zeroes behind a packet in pages. Returns whether its pages are marked as shared. */
int caif_kunit_put_zeroes(bool *is_shared);

#endif
