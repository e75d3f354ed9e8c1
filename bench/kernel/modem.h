/* SPDX-License-Identifier: GPL-2.0 */
/* A modem in the kernel that does as little as possible, to measure its driver. */
#ifndef CAIF_BENCH_MODEM_H
#define CAIF_BENCH_MODEM_H

#include <linux/netdevice.h>
#include <linux/remoteproc.h>
#include <linux/virtio_ring.h>

#include "vringh_transport.h"

/* What a modem leaves free around each frame, and the largest buffer. */
#define BENCH_ROOM 32
#define BENCH_MTU 4096
/* Bytes between two buffers of the modem. */
#define BENCH_STRIDE 4352
/* Buffers of a modem, all that it has frames for at a time. */
#define BENCH_BUFFERS 64U
#define BENCH_MODEMS 8

struct bench_ring {
	struct vring vring;
	u16 next;	/* of avail for RX, of used for TX */
	u16 seen;	/* of used for RX, of avail for TX */
	u32 kicks;
};

struct bench_modem {
	struct device *parent;
	struct rproc *rproc;
	struct virtio_device *vdev;
	void *memory;
	size_t size, heap;
	unsigned int num;
	bool event_idx;
	struct bench_ring rx, tx;
	struct vringh_transport transport;
	u32 interrupts;
	/* Where the next chain starts. */
	u16 desc;
	/* Frames are for as many channels in turn. */
	u8 channels;
};

struct bench_modem *bench_modem_new(unsigned int index, unsigned int num, bool event_idx);
void bench_modem_free(struct bench_modem *modem);

/* The rings are where the driver that was just bound takes them to be. */
void bench_modem_reset(struct bench_modem *modem);
struct net_device *bench_modem_netdev(struct bench_modem *modem);

/* RX: makes frames available in chains of @chain, interrupts, and looks what came back. */
void bench_modem_fill(struct bench_modem *modem, unsigned int frames, unsigned int chain,
		      unsigned int payload);
void bench_modem_interrupt_rx(struct bench_modem *modem);
bool bench_modem_rx_done(struct bench_modem *modem);

/* TX: returns all that was sent, and how many frames that were. */
unsigned int bench_modem_return(struct bench_modem *modem);
/* Whether the driver wants to be told of what was returned. */
bool bench_modem_wants_tx(struct bench_modem *modem, unsigned int returned);
void bench_modem_interrupt_tx(struct bench_modem *modem);

#endif
