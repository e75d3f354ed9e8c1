/* SPDX-License-Identifier: GPL-2.0 */
/* A minimal modem in the kernel, whose driver is measured. */
#ifndef CAIF_BENCH_MODEM_H
#define CAIF_BENCH_MODEM_H

#include <linux/netdevice.h>
#include <linux/remoteproc.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>

#include "vringh_transport.h"

/* Headroom and tailroom of a buffer, and its size. */
#define BENCH_ROOM 32
#define BENCH_MTU 4096
/* Bytes between two buffers of the modem. */
#define BENCH_STRIDE 4352
/* Number of a modem's buffers, which limits the frames of an interrupt. */
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
	/* First descriptor of the next chain. */
	u16 desc;
	/* Number of channels that frames are for in turn. */
	u8 channels;
	/* Whether it answers requests for channels, and the last link id that it assigned. */
	struct work_struct answer;
	bool answers;
	u8 link_id;
};

struct bench_modem *bench_modem_new(unsigned int index, unsigned int num, bool event_idx);
void bench_modem_free(struct bench_modem *modem);

/* Resets the modem's state, and takes the rings of the driver that was just bound. */
void bench_modem_reset(struct bench_modem *modem);
struct net_device *bench_modem_netdev(struct bench_modem *modem);

/* RX: makes frames available in chains of @chain, interrupts, and checks what was returned. */
void bench_modem_fill(struct bench_modem *modem, unsigned int frames, unsigned int chain,
		      unsigned int payload);
/* RX: makes one frame available in the next buffer, which @write fills. */
void bench_modem_put(struct bench_modem *modem, unsigned int len,
		     void (*write)(void *frame, unsigned int len, void *data), void *data);
void bench_modem_interrupt_rx(struct bench_modem *modem);
bool bench_modem_rx_done(struct bench_modem *modem);

/* TX: returns all buffers to the driver. The result is their number. */
unsigned int bench_modem_return(struct bench_modem *modem);
/* Returns whether the driver wants an interrupt for the returned buffers. */
bool bench_modem_wants_tx(struct bench_modem *modem, unsigned int returned);
void bench_modem_interrupt_tx(struct bench_modem *modem);

/*
 * Switches the answers to requests for channels on, each with the next link id from 1 on, or off.
 * Then returns all buffers to the driver.
 */
void bench_control_init(struct bench_modem *modem);
void bench_control_answer(struct bench_modem *modem, bool answers);
/* The driver sent something. Any context. */
void bench_control_kick(struct bench_modem *modem);

#endif
