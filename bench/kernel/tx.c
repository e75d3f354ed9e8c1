// SPDX-License-Identifier: GPL-2.0
/*
 * TX: measures the driver's work for a frame, from the call to the reclaim of its buffer.
 *
 * A sample is as many bursts as fill the ring twice, so that it includes work that is not done per
 * frame. The modem's own work is not included.
 */
#include "measure.h"

#define BURST_MAX 32

enum how { NDO, QUEUE, FULL };

/* Returns all buffers to the driver, and interrupts it if it asked for that. */
static void give_back(struct bench_sender *sender)
{
	unsigned int count = bench_modem_return(sender->modem);
	u64 start;

	if (!count || !bench_modem_wants_tx(sender->modem, count))
		return;
	local_bh_disable();
	start = bench_now();
	bench_modem_interrupt_tx(sender->modem);
	local_bh_enable();
	sender->span += bench_now() - start;
}

static int ready(struct bench_sender *sender)
{
	for (int i = 0; netif_xmit_frozen_or_drv_stopped(sender->queue); i++) {
		if (i == 100)
			return -EIO;
		give_back(sender);
	}
	return 0;
}

static int burst(struct bench_sender *sender, enum how how, struct sk_buff *skbs[], unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		int err = ready(sender);
		u64 start;

		if (err)
			return err;
		local_bh_disable();
		if (how == QUEUE) {
			start = bench_now();
			err = dev_queue_xmit(skbs[i]);
			sender->span += bench_now() - start;
		} else {
			HARD_TX_LOCK(sender->dev, sender->queue, smp_processor_id());
			start = bench_now();
			err = netdev_start_xmit(skbs[i], sender->dev, sender->queue, i + 1 < count);
			sender->span += bench_now() - start;
			HARD_TX_UNLOCK(sender->dev, sender->queue);
		}
		local_bh_enable();
		skbs[i] = NULL;
		if (err)
			return -EIO;
	}
	return 0;
}

static int bursts(struct bench_sender *sender, enum how how, unsigned int size, unsigned int payload,
		  unsigned int frames)
{
	struct sk_buff *skbs[BURST_MAX] = {};
	int err = 0;

	for (unsigned int done = 0; done < frames && !err; done += size) {
		for (unsigned int i = 0; i < size && !err; i++) {
			skbs[i] = bench_skb(sender->dev, payload);
			if (!skbs[i])
				err = -ENOMEM;
		}
		if (!err)
			err = burst(sender, how, skbs, size);
		for (unsigned int i = 0; i < size; i++)
			kfree_skb(skbs[i]);
		/* With FULL, buffers are returned only after the queue has stopped. */
		if (how != FULL)
			give_back(sender);
	}
	return err;
}

int bench_send(struct bench_sender *sender, unsigned int size, unsigned int payload,
	       unsigned int frames)
{
	return bursts(sender, NDO, size, payload, frames);
}

static int row(struct seq_file *out, struct bench_sender *sender, const char *name, enum how how,
	       unsigned int size, unsigned int payload, u64 *samples)
{
	struct bench_modem *modem = sender->modem;
	unsigned int frames = 2 * modem->num;
	struct bench_result result = {};
	u32 kicks = 0, interrupts = 0;
	u64 looks = 0;
	int err;

	for (int i = -4; i < BENCH_SAMPLES; i++) {
		sender->span = 0;
		err = bursts(sender, how, size, payload, frames);
		if (err) {
			pr_err("TX: %s with %u bytes failed: %d\n", name, payload, err);
			return err;
		}
		if (i < 0) {
			kicks = modem->tx.kicks;
			interrupts = modem->interrupts;
		} else {
			samples[i] = sender->span;
		}
		cond_resched();
	}
	/* The clock was read for each frame. */
	looks = bench_overhead() * (frames - 1);
	for (int i = 0; i < BENCH_SAMPLES; i++)
		samples[i] -= min(samples[i], looks);
	bench_summarize(&result, samples, BENCH_SAMPLES, frames);
	result.kicks = (u64)(modem->tx.kicks - kicks) * 1000 / (BENCH_SAMPLES * frames);
	result.interrupts = (u64)(modem->interrupts - interrupts) * 1000 / (BENCH_SAMPLES * frames);
	bench_print(out, name, payload, size, 1, &result);
	return 0;
}

int bench_tx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	static const unsigned int payloads[] = { 64, 256, 1500, 4000 };
	static const struct {
		const char *name;
		enum how how;
		unsigned int size;
	} shapes[] = {
		{ "tx_ndo", NDO, 1 },
		{ "tx_ndo", NDO, 32 },
		{ "tx_queue", QUEUE, 1 },
		{ "tx_queue", QUEUE, 32 },
		{ "tx_stop_wake", FULL, 1 },
	};
	u64 *samples = kcalloc(BENCH_SAMPLES, sizeof(*samples), GFP_KERNEL);
	struct bench_sender sender = {
		.modem = modem,
		.dev = dev,
		.queue = netdev_get_tx_queue(dev, 0),
	};
	int err = 0;

	if (!samples)
		return -ENOMEM;
	for (int s = 0; s < ARRAY_SIZE(shapes) && !err; s++)
		for (int p = 0; p < ARRAY_SIZE(payloads) && !err; p++)
			err = row(out, &sender, shapes[s].name, shapes[s].how, shapes[s].size,
				  payloads[p], samples);
	kfree(samples);
	return err;
}
