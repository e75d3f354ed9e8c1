// SPDX-License-Identifier: GPL-2.0
/*
 * RX through the stack: measures from the interrupt until IP has all packets, which are freed there,
 * and all buffers are returned.
 */
#include <linux/delay.h>
#include <linux/skbuff.h>
#include <linux/unaligned.h>

#include "measure.h"

/* Length and link id, the header of a datagram, the check sequence. */
#define FRONT 7
#define BACK 2

/* IP's handler, which is removed meanwhile, and its replacement, which counts and frees packets. */
struct ip {
	struct packet_type type, *real;
	/* Packets that were sent, and packets that arrived. */
	unsigned int received, deliveries;
};

static int receive(struct sk_buff *skb, struct net_device *dev, struct packet_type *type,
		   struct net_device *orig_dev)
{
	struct ip *ip = container_of(type, struct ip, type);

	ip->received += max(skb_shinfo(skb)->gso_segs, 1);
	ip->deliveries++;
	consume_skb(skb);
	return NET_RX_SUCCESS;
}

/* Replaces IP's handler: with both of them, each packet would be cloned. */
static int ip_open(struct ip *ip)
{
	struct packet_type *pos;

	memset(ip, 0, sizeof(*ip));
	ip->type.type = htons(ETH_P_IP);
	ip->type.func = receive;
	dev_add_pack(&ip->type);
	rcu_read_lock();
	/* Both are on the same list, whose head is no handler. */
	list_for_each_entry_rcu(pos, &ip->type.list, list) {
		if (pos->type == htons(ETH_P_IP) && !pos->dev && pos->list_func) {
			ip->real = pos;
			break;
		}
	}
	rcu_read_unlock();
	if (!ip->real) {
		dev_remove_pack(&ip->type);
		return -ENOENT;
	}
	dev_remove_pack(ip->real);
	return 0;
}

static void ip_close(struct ip *ip)
{
	dev_add_pack(ip->real);
	dev_remove_pack(&ip->type);
}

struct source {
	struct bench_flow flow;
	u8 channels, next;
};

static void write_frame(void *frame, unsigned int len, void *data)
{
	struct source *source = data;
	u8 *at = frame;

	put_unaligned_le16(len - 2, at);
	at[2] = 1 + source->next++ % source->channels;
	memset(at + 3, 0, FRONT - 3);
	bench_packet(at + FRONT, len - FRONT - BACK, &source->flow);
	memset(at + len - BACK, 0, BACK);
}

static int sample(struct bench_modem *modem, struct ip *ip, struct source *source,
		  unsigned int frames, unsigned int len, u64 *span)
{
	unsigned int patience = 1000;
	u64 start;

	ip->received = 0;
	ip->deliveries = 0;
	for (unsigned int i = 0; i < frames; i++)
		bench_modem_put(modem, FRONT + len + BACK, write_frame, source);
	local_bh_disable();
	start = bench_now();
	bench_modem_interrupt_rx(modem);
	/* The poll functions run here. */
	local_bh_enable();
	*span = bench_now() - start;
	if (READ_ONCE(ip->received) == frames && bench_modem_rx_done(modem))
		return 0;
	/* A poll was deferred to ksoftirqd: the sample is discarded, which is no error. */
	while ((READ_ONCE(ip->received) != frames || !bench_modem_rx_done(modem)) && patience--)
		usleep_range(100, 200);
	if (READ_ONCE(ip->received) == frames && bench_modem_rx_done(modem))
		return -EAGAIN;
	pr_err("stack RX: %u of %u packets of %u bytes arrived\n", ip->received, frames, len);
	return -EIO;
}

static int row(struct seq_file *out, struct bench_modem *modem, struct ip *ip, const char *name,
	       struct source *source, unsigned int frames, unsigned int len, u64 *samples)
{
	struct bench_result result = {};
	u32 kicks = 0, interrupts = 0;
	int warm = 16, again = 100;

	for (int i = -warm; i < BENCH_SAMPLES;) {
		u64 span;
		int err = sample(modem, ip, source, frames, len, &span);

		if (err == -EAGAIN && again--)
			continue;
		if (err)
			return err;
		if (i < 0) {
			kicks = modem->rx.kicks;
			interrupts = modem->interrupts;
		} else {
			samples[i] = span;
			result.deliveries += ip->deliveries;
		}
		i++;
		cond_resched();
	}
	bench_summarize(&result, samples, BENCH_SAMPLES, frames);
	result.kicks = (u64)(modem->rx.kicks - kicks) * 1000 / (BENCH_SAMPLES * frames);
	result.interrupts = (u64)(modem->interrupts - interrupts) * 1000 / (BENCH_SAMPLES * frames);
	result.deliveries = result.deliveries * 1000 / (BENCH_SAMPLES * frames);
	bench_print(out, name, len, frames, 1, &result);
	return 0;
}

int bench_stack_rx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	static const unsigned int lens[] = { 64, 1500 }, bursts[] = { 1, 8, 32 };
	u64 *samples = kcalloc(BENCH_SAMPLES, sizeof(*samples), GFP_KERNEL);
	struct source source = { .channels = 1 };
	struct ip ip;
	int err;

	if (!samples)
		return -ENOMEM;
	err = ip_open(&ip);
	if (err)
		goto free;
	for (int tcp = 0; tcp < 2; tcp++) {
		source.flow.tcp = tcp;
		for (int b = 0; b < ARRAY_SIZE(bursts) && !err; b++)
			for (int l = 0; l < ARRAY_SIZE(lens) && !err; l++)
				err = row(out, modem, &ip, tcp ? "ip_rx_tcp" : "ip_rx", &source,
					  bursts[b], lens[l], samples);
	}
	ip_close(&ip);
free:
	kfree(samples);
	return err;
}

int bench_stack_channels(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	u64 *samples = kcalloc(BENCH_SAMPLES, sizeof(*samples), GFP_KERNEL);
	struct source source = { .channels = modem->link_id };
	struct ip ip;
	int err;

	if (!samples)
		return -ENOMEM;
	err = source.channels ? ip_open(&ip) : -ENODEV;
	if (err)
		goto free;
	err = row(out, modem, &ip, "ip_rx_64_channels", &source, 32, 64, samples);
	ip_close(&ip);
free:
	kfree(samples);
	return err;
}
