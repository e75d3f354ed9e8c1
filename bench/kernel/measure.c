// SPDX-License-Identifier: GPL-2.0
/* Functions that all measurements share. */
#include <linux/if_ether.h>
#include <linux/math64.h>
#include <linux/skbuff.h>
#include <linux/sort.h>

#include "measure.h"

u64 bench_overhead(void)
{
	u64 least = U64_MAX;

	for (int i = 0; i < 16; i++) {
		u64 start = bench_now();

		least = min(least, bench_now() - start);
	}
	return least;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

void bench_summarize(struct bench_result *result, u64 *samples, unsigned int count,
		     unsigned int frames)
{
	u64 overhead = bench_overhead();

	sort(samples, count, sizeof(*samples), compare, NULL);
	result->median = div_u64((samples[count / 2] - overhead) * 1000, frames);
	result->min = div_u64((samples[0] - overhead) * 1000, frames);
	result->max = div_u64((samples[count - 1] - overhead) * 1000, frames);
}

static void print(struct seq_file *out, const char *name, u64 thousandths)
{
	u32 rest;
	u64 whole = div_u64_rem(thousandths, 1000, &rest);

	seq_printf(out, ",\"%s\":%llu.%03u", name, whole, rest);
}

void bench_print(struct seq_file *out, const char *row, unsigned int payload,
		 unsigned int burst, unsigned int chain, const struct bench_result *result)
{
	seq_printf(out, "{\"row\":\"%s\",\"payload\":%u,\"burst\":%u,\"chain\":%u", row, payload,
		   burst, chain);
	print(out, "median", result->median);
	print(out, "min", result->min);
	print(out, "max", result->max);
	print(out, "kicks", result->kicks);
	print(out, "interrupts", result->interrupts);
	if (result->deliveries)
		print(out, "deliveries", result->deliveries);
	seq_puts(out, "}\n");
}

static int receive(struct sk_buff *skb, struct net_device *dev, struct packet_type *type,
		   struct net_device *orig_dev)
{
	container_of(type, struct bench_sink, type)->received++;
	consume_skb(skb);
	return NET_RX_SUCCESS;
}

void bench_sink_open(struct bench_sink *sink, struct net_device *dev)
{
	memset(sink, 0, sizeof(*sink));
	sink->type.type = htons(ETH_P_CAIF);
	sink->type.dev = dev;
	sink->type.func = receive;
	dev_add_pack(&sink->type);
}

void bench_sink_close(struct bench_sink *sink)
{
	dev_remove_pack(&sink->type);
}

struct sk_buff *bench_skb(struct net_device *dev, unsigned int payload)
{
	struct sk_buff *skb = alloc_skb(LL_RESERVED_SPACE(dev) + payload + 64, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	memset(skb_put(skb, payload), 0x5a, payload);
	skb->dev = dev;
	skb->protocol = htons(ETH_P_CAIF);
	skb_reset_network_header(skb);
	return skb;
}
