// SPDX-License-Identifier: GPL-2.0
/* RX: measures from the interrupt until all packets are freed and all buffers are returned. */
#include <linux/delay.h>
#include <linux/moduleparam.h>

#include "measure.h"

static int sample(struct bench_modem *modem, struct bench_sink *sink, unsigned int frames,
		  unsigned int chain, unsigned int payload, u64 *span)
{
	unsigned int patience = 1000;
	u64 start;

	sink->received = 0;
	bench_modem_fill(modem, frames, chain, payload);
	local_bh_disable();
	start = bench_now();
	bench_modem_interrupt_rx(modem);
	/* The poll function runs here. */
	local_bh_enable();
	*span = bench_now() - start;
	if (READ_ONCE(sink->received) == frames && bench_modem_rx_done(modem))
		return 0;
	/* The poll was deferred to ksoftirqd: the sample is discarded, which is no error. */
	while (!bench_modem_rx_done(modem) && patience--)
		usleep_range(100, 200);
	if (READ_ONCE(sink->received) == frames && bench_modem_rx_done(modem))
		return -EAGAIN;
	pr_err("RX: %u of %u frames of %u bytes arrived\n", sink->received, frames, payload);
	return -EIO;
}

static int row(struct seq_file *out, struct bench_modem *modem, struct bench_sink *sink,
	       unsigned int frames, unsigned int chain, unsigned int payload, u64 *samples)
{
	struct bench_result result = {};
	u32 kicks = 0, interrupts = 0;
	int warm = 16, again = 100;

	for (int i = -warm; i < BENCH_SAMPLES;) {
		u64 span;
		int err = sample(modem, sink, frames, chain, payload, &span);

		if (err == -EAGAIN && again--)
			continue;
		if (err)
			return err;
		if (i < 0) {
			kicks = modem->rx.kicks;
			interrupts = modem->interrupts;
		} else {
			samples[i] = span;
		}
		i++;
		cond_resched();
	}
	bench_summarize(&result, samples, BENCH_SAMPLES, frames);
	result.kicks = (u64)(modem->rx.kicks - kicks) * 1000 / (BENCH_SAMPLES * frames);
	result.interrupts = (u64)(modem->interrupts - interrupts) * 1000 / (BENCH_SAMPLES * frames);
	bench_print(out, "rx", payload, frames, chain, &result);
	return 0;
}

static unsigned int one[3] = { 8, 1, 64 };
module_param_array(one, uint, NULL, 0644);
MODULE_PARM_DESC(one, "Frames, chain and payload of the interrupt to be looked at");

/* Executes a few interrupts after the allocator's caches are full, for QEMU's trace. */
int bench_one(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	struct bench_sink sink;
	u64 span;
	int err = -EINVAL;

	if (!one[0] || one[0] > 64 || !one[1] || one[0] % one[1] || one[2] > BENCH_MTU - 2 * BENCH_ROOM)
		return err;
	bench_sink_open(&sink, dev);
	for (int i = 0; i < 16; i++) {
		err = sample(modem, &sink, one[0], one[1], one[2], &span);
		if (err && err != -EAGAIN)
			break;
		err = 0;
	}
	bench_sink_close(&sink);
	return err;
}

enum part { INTERRUPT, POLL };

/* Measures an interrupt, or a poll, without a frame. */
static void in_vain(struct seq_file *out, struct bench_modem *modem, struct net_device *dev,
		    const char *name, enum part part, u64 *samples)
{
	struct napi_struct *napi = list_first_entry(&dev->napi_list, struct napi_struct, dev_list);
	struct bench_result result = {};

	for (int i = -16; i < BENCH_SAMPLES; i++) {
		u64 start;

		local_bh_disable();
		start = bench_now();
		if (part == INTERRUPT)
			bench_modem_interrupt_rx(modem);
		else
			napi_schedule(napi);
		local_bh_enable();
		if (i >= 0)
			samples[i] = bench_now() - start;
		cond_resched();
	}
	bench_summarize(&result, samples, BENCH_SAMPLES, 1);
	bench_print(out, name, 0, 0, 1, &result);
}

int bench_rx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	static const unsigned int payloads[] = { 64, 256, 1500, 4000 };
	static const struct {
		unsigned int frames, chain;
	} shapes[] = { { 1, 1 }, { 8, 1 }, { 32, 1 }, { 8, 8 }, { 32, 8 } };
	u64 *samples = kcalloc(BENCH_SAMPLES, sizeof(*samples), GFP_KERNEL);
	struct bench_sink sink;
	int err = 0;

	if (!samples)
		return -ENOMEM;
	bench_sink_open(&sink, dev);
	in_vain(out, modem, dev, "rx_no_news", INTERRUPT, samples);
	in_vain(out, modem, dev, "rx_no_frame", POLL, samples);
	for (int s = 0; s < ARRAY_SIZE(shapes) && !err; s++)
		for (int p = 0; p < ARRAY_SIZE(payloads) && !err; p++)
			err = row(out, modem, &sink, shapes[s].frames, shapes[s].chain,
				  payloads[p], samples);
	bench_sink_close(&sink);
	kfree(samples);
	return err;
}
