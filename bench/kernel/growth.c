// SPDX-License-Identifier: GPL-2.0
/* Growth: the cost of a frame with more descriptors, modems and channels. */
#include <linux/moduleparam.h>

#include "measure.h"

#define BURST 8
#define SAMPLES 25

static unsigned int channels = 1;
module_param(channels, uint, 0644);
MODULE_PARM_DESC(channels, "Channels that frames are for in turn, when growth is measured");

/* Receives a burst of each modem; all modems interrupt before the first one is polled. */
static int receive(struct bench_modem *modems[], unsigned int count, unsigned int payload,
		   struct bench_sink *sink, u64 *span)
{
	bool done = true;
	u64 start;

	sink->received = 0;
	for (unsigned int i = 0; i < count; i++) {
		modems[i]->channels = channels;
		bench_modem_fill(modems[i], BURST, 1, payload);
	}
	local_bh_disable();
	start = bench_now();
	for (unsigned int i = 0; i < count; i++)
		bench_modem_interrupt_rx(modems[i]);
	local_bh_enable();
	*span = bench_now() - start;
	for (unsigned int i = 0; i < count; i++)
		done = bench_modem_rx_done(modems[i]) && done;
	return done && READ_ONCE(sink->received) == count * BURST ? 0 : -EIO;
}

static int grown_rx(struct seq_file *out, struct bench_modem *modems[], unsigned int count,
		    unsigned int payload, u64 *samples)
{
	/* Enough bursts to use all descriptors of the smaller rings. */
	unsigned int warm = 64;
	struct bench_result result = {};
	struct bench_sink sink;
	int err = 0;

	bench_sink_open(&sink, NULL);
	for (unsigned int i = 0; i < warm + BENCH_SAMPLES && !err; i++) {
		u64 span;

		err = receive(modems, count, payload, &sink, &span);
		if (i >= warm)
			samples[i - warm] = span;
		cond_resched();
	}
	bench_sink_close(&sink);
	if (err)
		return err;
	bench_summarize(&result, samples, BENCH_SAMPLES, count * BURST);
	bench_print(out, "grown_rx", payload, BURST, 1, &result);
	return 0;
}

/* Each sample fills the rings four times, so that it includes work that is not done per frame. */
static int grown_tx(struct seq_file *out, struct bench_modem *modems[], struct net_device *devs[],
		    unsigned int count, unsigned int payload, u64 *samples)
{
	unsigned int frames = 4 * modems[0]->num, kept = modems[0]->num > 1024 ? 3 : SAMPLES;
	struct bench_sender senders[BENCH_MODEMS] = {};
	struct bench_result result = {};
	u64 looks;

	for (unsigned int i = 0; i < count; i++) {
		senders[i].modem = modems[i];
		senders[i].dev = devs[i];
		senders[i].queue = netdev_get_tx_queue(devs[i], 0);
	}
	for (int i = -1; i < (int)kept; i++) {
		u64 span = 0;

		for (unsigned int done = 0; done < frames; done += BURST) {
			for (unsigned int m = 0; m < count; m++) {
				int err;

				senders[m].span = 0;
				err = bench_send(&senders[m], BURST, payload, BURST);
				if (err)
					return err;
				span += senders[m].span;
			}
			cond_resched();
		}
		if (i >= 0)
			samples[i] = span;
	}
	frames *= count;
	/* The clock was read for each frame. */
	looks = bench_overhead() * (frames - 1);
	for (unsigned int i = 0; i < kept; i++)
		samples[i] -= min(samples[i], looks);
	bench_summarize(&result, samples, kept, frames);
	bench_print(out, "grown_tx", payload, BURST, 1, &result);
	return 0;
}

int bench_growth(struct seq_file *out, struct bench_modem *modems[], struct net_device *devs[],
		 unsigned int count)
{
	static const unsigned int payloads[] = { 64, 1500 };
	u64 *samples = kcalloc(BENCH_SAMPLES, sizeof(*samples), GFP_KERNEL);
	int err = 0;

	if (!samples)
		return -ENOMEM;
	for (int p = 0; p < ARRAY_SIZE(payloads) && !err; p++) {
		err = grown_rx(out, modems, count, payloads[p], samples);
		if (!err)
			err = grown_tx(out, modems, devs, count, payloads[p], samples);
	}
	kfree(samples);
	return err;
}
