/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CAIF_BENCH_MEASURE_H
#define CAIF_BENCH_MEASURE_H

#include <linux/seq_file.h>

#include "modem.h"

/* The result of a row. */
struct bench_result {
	/* Per frame, in thousandths. */
	u64 median, min, max;
	/* Per frame, in thousandths. */
	u64 kicks, interrupts;
	/* Packets that the IP layer gets for each one sent to it, in thousandths. */
	u64 deliveries;
};

#define BENCH_SAMPLES 101

/* Returns the time, whose unit is an instruction in QEMU with -icount shift=0. */
static inline u64 bench_now(void)
{
	return get_cycles();
}

/* Returns the cost of reading the clock twice. */
u64 bench_overhead(void);
/* Computes a result from @count @samples, times of @frames frames each. Sorts @samples. */
void bench_summarize(struct bench_result *result, u64 *samples, unsigned int count,
		     unsigned int frames);
void bench_print(struct seq_file *out, const char *row, unsigned int payload,
		 unsigned int burst, unsigned int chain, const struct bench_result *result);

/* A packet handler that counts and frees the packets that the driver delivers. */
struct bench_sink {
	struct packet_type type;
	unsigned int received;
};

void bench_sink_open(struct bench_sink *sink, struct net_device *dev);
void bench_sink_close(struct bench_sink *sink);

struct sk_buff *bench_skb(struct net_device *dev, unsigned int payload);

int bench_one(struct seq_file *out, struct bench_modem *modem, struct net_device *dev);
int bench_rx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev);
int bench_tx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev);
/* A sender of frames on one modem's device. */
struct bench_sender {
	struct bench_modem *modem;
	struct net_device *dev;
	struct netdev_queue *queue;
	u64 span;
};

/* Sends @frames frames by ndo_start_xmit in bursts of @size, and adds their time to the span. */
int bench_send(struct bench_sender *sender, unsigned int size, unsigned int payload,
	       unsigned int frames);

/* Measures RX and TX of all @count modems in turn. */
int bench_growth(struct seq_file *out, struct bench_modem *modems[], struct net_device *devs[],
		 unsigned int count);
/* Measures the stack, from the interrupt to IP and from the interface to the slot. */
int bench_stack_rx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev);
int bench_stack_tx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev);
/* Measures RX by as many channels as there are, in turn. */
int bench_stack_channels(struct seq_file *out, struct bench_modem *modem, struct net_device *dev);

/* A flow of IPv4 packets, of TCP segments if it has a sequence number and of UDP otherwise. */
struct bench_flow {
	bool tcp;
	u32 seq;
	u16 id;
};

#define BENCH_TCP_HEADERS (20 + 32)

/* Writes the next packet of a flow, of @len bytes. */
void bench_packet(void *to, unsigned int len, struct bench_flow *flow);
/*
 * Makes a packet of a flow to be sent by an interface: linear, or with the payload in a page and the
 * checksum still to be made, as TCP does; of several segments for a @payload of more than @mss. TCP
 * sends clones of such packets, and keeps them until their data is acknowledged.
 */
struct sk_buff *bench_linear(struct net_device *dev, unsigned int len, struct bench_flow *flow);
struct sk_buff *bench_paged(struct net_device *dev, unsigned int payload, unsigned int mss,
			    struct bench_flow *flow);
int bench_floor(struct seq_file *out, struct net_device *dev);

#endif
