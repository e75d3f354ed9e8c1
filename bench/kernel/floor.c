// SPDX-License-Identifier: GPL-2.0
/* The floor: the cost of NAPI, allocation, copy and delivery that every driver has. */
#include <linux/slab.h>

#include "measure.h"

struct floor {
	struct napi_struct napi;
	struct net_device *dev;
	const void *from;
	unsigned int frames, payload;
};

static int poll(struct napi_struct *napi, int budget)
{
	struct floor *floor = container_of(napi, struct floor, napi);

	for (unsigned int i = 0; i < floor->frames; i++) {
		struct sk_buff *skb = napi_alloc_skb(napi, floor->payload);

		if (!skb)
			break;
		skb_put_data(skb, floor->from, floor->payload);
		skb->dev = floor->dev;
		skb->protocol = htons(ETH_P_CAIF);
		skb_reset_mac_header(skb);
		netif_receive_skb(skb);
	}
	napi_complete_done(napi, floor->frames);
	return floor->frames;
}

static void cycles(struct seq_file *out, struct floor *floor, const char *name, u64 *samples)
{
	struct bench_result result = {};

	for (int i = -16; i < BENCH_SAMPLES; i++) {
		u64 start;

		local_bh_disable();
		start = bench_now();
		napi_schedule(&floor->napi);
		local_bh_enable();
		if (i >= 0)
			samples[i] = bench_now() - start;
		cond_resched();
	}
	bench_summarize(&result, samples, BENCH_SAMPLES, max(floor->frames, 1U));
	bench_print(out, name, floor->payload, floor->frames, 1, &result);
}

static void copies(struct seq_file *out, struct floor *floor, void *to, u64 *samples)
{
	struct bench_result result = {};

	for (int i = 0; i < BENCH_SAMPLES; i++) {
		u64 start = bench_now();

		memcpy(to, floor->from, floor->payload);
		samples[i] = bench_now() - start;
		barrier_data(to);
	}
	bench_summarize(&result, samples, BENCH_SAMPLES, 1);
	bench_print(out, "floor_memcpy", floor->payload, 1, 1, &result);
}

static int frees(struct seq_file *out, struct floor *floor, u64 *samples)
{
	struct bench_result result = {};

	for (int i = 0; i < BENCH_SAMPLES; i++) {
		struct sk_buff *skb = bench_skb(floor->dev, floor->payload);
		u64 start;

		if (!skb)
			return -ENOMEM;
		local_bh_disable();
		start = bench_now();
		consume_skb(skb);
		samples[i] = bench_now() - start;
		local_bh_enable();
	}
	bench_summarize(&result, samples, BENCH_SAMPLES, 1);
	bench_print(out, "floor_kfree_skb", floor->payload, 1, 1, &result);
	return 0;
}

int bench_floor(struct seq_file *out, struct net_device *dev)
{
	static const unsigned int payloads[] = { 64, 256, 1500, 4000 };
	static const unsigned int frames[] = { 1, 8, 32 };
	u64 *samples = kcalloc(BENCH_SAMPLES, sizeof(*samples), GFP_KERNEL);
	struct floor *floor = kzalloc(sizeof(*floor), GFP_KERNEL);
	void *from = kzalloc(BENCH_MTU, GFP_KERNEL), *to = kzalloc(BENCH_MTU, GFP_KERNEL);
	struct bench_sink sink;
	int err = -ENOMEM;

	if (!samples || !floor || !from || !to)
		goto free;
	err = 0;
	floor->dev = dev;
	floor->from = from;
	bench_sink_open(&sink, dev);
	netif_napi_add(dev, &floor->napi, poll);
	napi_enable(&floor->napi);
	cycles(out, floor, "floor_napi", samples);
	for (int p = 0; p < ARRAY_SIZE(payloads) && !err; p++) {
		floor->payload = payloads[p];
		for (int f = 0; f < ARRAY_SIZE(frames); f++) {
			floor->frames = frames[f];
			cycles(out, floor, "floor_rx", samples);
		}
		copies(out, floor, to, samples);
		err = frees(out, floor, samples);
	}
	napi_disable(&floor->napi);
	netif_napi_del(&floor->napi);
	bench_sink_close(&sink);
free:
	kfree(to);
	kfree(from);
	kfree(floor);
	kfree(samples);
	return err;
}
