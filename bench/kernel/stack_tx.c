// SPDX-License-Identifier: GPL-2.0
/*
 * TX through the stack: measures dev_queue_xmit() to an IP interface, at the end of which the frame
 * is in its slot and the modem has been kicked.
 */
#include "measure.h"

#define BURST_MAX 32
#define MSS (1500 - BENCH_TCP_HEADERS)

enum shape { LINEAR, PAGED, SEGMENTS };

struct sender {
	struct bench_modem *modem;
	struct net_device *dev;
	struct bench_flow flow;
	enum shape shape;
	unsigned int len, burst;
	u64 span;
};

static struct sk_buff *packet(struct sender *sender)
{
	switch (sender->shape) {
	case LINEAR:
		return bench_linear(sender->dev, sender->len, &sender->flow);
	case PAGED:
		return bench_paged(sender->dev, sender->len - BENCH_TCP_HEADERS, MSS, &sender->flow);
	case SEGMENTS:
		return bench_paged(sender->dev, sender->burst * MSS, MSS, &sender->flow);
	}
	return NULL;
}

/* Returns all buffers to the driver, and their number in @count. */
static void give_back(struct sender *sender, unsigned int *count)
{
	u64 start;

	*count = bench_modem_return(sender->modem);
	if (!*count || !bench_modem_wants_tx(sender->modem, *count))
		return;
	local_bh_disable();
	start = bench_now();
	bench_modem_interrupt_tx(sender->modem);
	local_bh_enable();
	sender->span += bench_now() - start;
}

/* Sends a burst. Packets that are not in their slots at its end are counted in @late. */
static int burst(struct sender *sender, unsigned int *late)
{
	unsigned int packets = sender->shape == SEGMENTS ? 1 : sender->burst;
	unsigned int arrived, all = 0;
	struct sk_buff *skbs[BURST_MAX] = {}, *kept[BURST_MAX] = {};
	int err = 0;

	for (unsigned int i = 0; i < packets; i++) {
		skbs[i] = packet(sender);
		if (skbs[i] && sender->shape != LINEAR) {
			kept[i] = skbs[i];
			skbs[i] = skb_clone(kept[i], GFP_KERNEL);
		}
		if (!skbs[i])
			err = -ENOMEM;
	}
	for (unsigned int i = 0; i < packets && !err; i++) {
		u64 start;

		local_bh_disable();
		start = bench_now();
		err = dev_queue_xmit(skbs[i]);
		sender->span += bench_now() - start;
		local_bh_enable();
		skbs[i] = NULL;
	}
	for (unsigned int i = 0; i < packets; i++) {
		kfree_skb(skbs[i]);
		kfree_skb(kept[i]);
	}
	for (int i = 0; all < sender->burst && i < 100; i++) {
		give_back(sender, &arrived);
		if (i == 0 && arrived < sender->burst)
			*late += sender->burst - arrived;
		all += arrived;
	}
	return err || all != sender->burst ? -EIO : 0;
}

static int row(struct seq_file *out, struct sender *sender, const char *name, u64 *samples)
{
	struct bench_modem *modem = sender->modem;
	unsigned int frames = 2 * modem->num, late = 0;
	unsigned int calls = sender->shape == SEGMENTS ? frames / sender->burst : frames;
	struct bench_result result = {};
	u32 kicks = 0, interrupts = 0;
	u64 looks;

	for (int i = -16; i < BENCH_SAMPLES; i++) {
		sender->span = 0;
		for (unsigned int done = 0; done < frames; done += sender->burst) {
			int err = burst(sender, &late);

			if (err) {
				pr_err("stack TX: %s of %u bytes failed: %d\n", name, sender->len, err);
				return err;
			}
		}
		if (i < 0) {
			kicks = modem->tx.kicks;
			interrupts = modem->interrupts;
			late = 0;
		} else {
			samples[i] = sender->span;
		}
		cond_resched();
	}
	if (late) {
		/* Their cost would be missing. */
		pr_err("stack TX: %s of %u bytes: %u packets were late\n", name, sender->len, late);
		return -EIO;
	}
	/* The clock was read for each call. */
	looks = bench_overhead() * (calls - 1);
	for (int i = 0; i < BENCH_SAMPLES; i++)
		samples[i] -= min(samples[i], looks);
	bench_summarize(&result, samples, BENCH_SAMPLES, frames);
	result.kicks = (u64)(modem->tx.kicks - kicks) * 1000 / (BENCH_SAMPLES * frames);
	result.interrupts = (u64)(modem->interrupts - interrupts) * 1000 / (BENCH_SAMPLES * frames);
	bench_print(out, name, sender->len, sender->burst, 1, &result);
	return 0;
}

int bench_stack_tx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	static const struct {
		const char *name;
		enum shape shape;
		unsigned int len, burst;
	} shapes[] = {
		{ "ip_tx", LINEAR, 64, 1 },
		{ "ip_tx", LINEAR, 1500, 1 },
		{ "ip_tx", LINEAR, 64, 32 },
		{ "ip_tx", LINEAR, 1500, 32 },
		{ "ip_tx_paged", PAGED, 1500, 1 },
		{ "ip_tx_paged", PAGED, 1500, 32 },
		{ "ip_tx_segments", SEGMENTS, 1500, 32 },
	};
	u64 *samples = kcalloc(BENCH_SAMPLES, sizeof(*samples), GFP_KERNEL);
	struct sender sender = { .modem = modem, .dev = dev };
	int err = 0;

	if (!samples)
		return -ENOMEM;
	for (int s = 0; s < ARRAY_SIZE(shapes) && !err; s++) {
		sender.shape = shapes[s].shape;
		sender.len = shapes[s].len;
		sender.burst = shapes[s].burst;
		sender.flow.tcp = sender.shape != LINEAR;
		err = row(out, &sender, shapes[s].name, samples);
	}
	kfree(samples);
	return err;
}
