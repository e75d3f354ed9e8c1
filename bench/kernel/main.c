// SPDX-License-Identifier: GPL-2.0
/*
 * Measures the cost of a driver of a CAIF virtio device, see
 * Documentation/performance.md.
 *
 * Loaded first, it makes the modems, whose devices the driver that is loaded next binds to.
 * Reading a file in debugfs measures that driver and returns a JSON object per line.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "measure.h"

static unsigned int num = 256;
module_param(num, uint, 0444);
MODULE_PARM_DESC(num, "Descriptors of each vring");

static bool event_idx;
module_param(event_idx, bool, 0444);
MODULE_PARM_DESC(event_idx, "Whether the modem offers EVENT_IDX");

static unsigned int modems = 1;
module_param(modems, uint, 0444);
MODULE_PARM_DESC(modems, "Number of modems");

static struct bench_modem *all[BENCH_MODEMS];
static struct dentry *dir;

static int with_driver(struct seq_file *out,
		       int (*measure)(struct seq_file *out, struct bench_modem *modem,
				      struct net_device *dev))
{
	struct net_device *dev;
	int err;

	rtnl_lock();
	dev = bench_modem_netdev(all[0]);
	if (dev)
		dev_hold(dev);
	rtnl_unlock();
	if (!dev)
		return -ENODEV;
	err = measure(out, all[0], dev);
	dev_put(dev);
	return err;
}

/* Resets the modem's state after its driver was bound. */
static int reset(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	bench_modem_reset(modem);
	rtnl_lock();
	dev_open(dev, NULL);
	rtnl_unlock();
	return netif_running(dev) ? 0 : -EIO;
}

static int floor(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	return bench_floor(out, dev);
}

static int run_show(struct seq_file *out, void *unused)
{
	int err = with_driver(out, reset);

	if (!err)
		err = with_driver(out, floor);
	if (!err)
		err = with_driver(out, bench_rx);
	if (!err)
		err = with_driver(out, bench_tx);
	return err;
}

static int run_open(struct inode *inode, struct file *file)
{
	/* A buffer for all of the output: a second read() would measure again. */
	return single_open_size(file, run_show, NULL, 1 << 16);
}

static const struct file_operations run_fops = {
	.owner = THIS_MODULE,
	.open = run_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int one_show(struct seq_file *out, void *unused)
{
	return with_driver(out, bench_one);
}
DEFINE_SHOW_ATTRIBUTE(one);

/* Resets the modems after their drivers were bound anew. */
static int reset_show(struct seq_file *out, void *unused)
{
	return with_driver(out, reset);
}
DEFINE_SHOW_ATTRIBUTE(reset);

/* Runs a measurement of the stack with its first interface, while the modem answers nothing. */
static int with_stack(struct seq_file *out,
		      int (*measure)(struct seq_file *out, struct bench_modem *modem,
				     struct net_device *dev))
{
	struct net_device *dev = dev_get_by_name(&init_net, "caif0");
	int err;

	if (!dev)
		return -ENODEV;
	bench_control_answer(all[0], false);
	err = measure(out, all[0], dev);
	bench_control_answer(all[0], true);
	dev_put(dev);
	return err;
}

/* Resets the modem's state after its driver was bound, and lets it answer the stack. */
static int answer_show(struct seq_file *out, void *unused)
{
	int err = with_driver(out, reset);

	if (!err)
		bench_control_answer(all[0], true);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(answer);

static int stack_rx_tx(struct seq_file *out, struct bench_modem *modem, struct net_device *dev)
{
	int err = bench_stack_rx(out, modem, dev);

	return err ?: bench_stack_tx(out, modem, dev);
}

static int stack_show(struct seq_file *out, void *unused)
{
	return with_stack(out, stack_rx_tx);
}

static int stack_open(struct inode *inode, struct file *file)
{
	/* As for run. */
	return single_open_size(file, stack_show, NULL, 1 << 16);
}

static const struct file_operations stack_fops = {
	.owner = THIS_MODULE,
	.open = stack_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int channels_show(struct seq_file *out, void *unused)
{
	return with_stack(out, bench_stack_channels);
}
DEFINE_SHOW_ATTRIBUTE(channels);

static void free_modems(void)
{
	for (int i = BENCH_MODEMS - 1; i >= 0; i--)
		if (all[i])
			bench_modem_free(all[i]);
}

/* Measures growth with all modems. */
static int growth_show(struct seq_file *out, void *unused)
{
	struct net_device *devs[BENCH_MODEMS] = {};
	int err = 0;

	rtnl_lock();
	for (unsigned int i = 0; i < modems && !err; i++) {
		bench_modem_reset(all[i]);
		devs[i] = bench_modem_netdev(all[i]);
		if (devs[i]) {
			dev_hold(devs[i]);
			err = dev_open(devs[i], NULL);
		} else {
			err = -ENODEV;
		}
	}
	rtnl_unlock();
	if (!err)
		err = bench_growth(out, all, devs, modems);
	for (unsigned int i = 0; i < modems; i++)
		dev_put(devs[i]);
	return err;
}
DEFINE_SHOW_ATTRIBUTE(growth);

static int __init bench_init(void)
{
	if (!is_power_of_2(num) || num < 16 || num > 32768 || !modems || modems > BENCH_MODEMS) {
		pr_err("num=%u is not a power of two from 16 to 32768, or modems=%u not 1 to %d\n",
		       num, modems, BENCH_MODEMS);
		return -EINVAL;
	}
	for (unsigned int i = 0; i < modems; i++) {
		struct bench_modem *modem = bench_modem_new(i, num, event_idx);

		if (IS_ERR(modem)) {
			free_modems();
			return PTR_ERR(modem);
		}
		all[i] = modem;
	}
	dir = debugfs_create_dir("caif_bench", NULL);
	debugfs_create_file("run", 0400, dir, NULL, &run_fops);
	debugfs_create_file("growth", 0400, dir, NULL, &growth_fops);
	debugfs_create_file("reset", 0400, dir, NULL, &reset_fops);
	debugfs_create_file("answer", 0400, dir, NULL, &answer_fops);
	debugfs_create_file("stack", 0400, dir, NULL, &stack_fops);
	debugfs_create_file("channels", 0400, dir, NULL, &channels_fops);
	debugfs_create_file("one", 0400, dir, NULL, &one_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	debugfs_remove(dir);
	free_modems();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Measures drivers of CAIF virtio devices");
MODULE_LICENSE("GPL");
