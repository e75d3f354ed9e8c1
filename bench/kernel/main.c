// SPDX-License-Identifier: GPL-2.0
/*
 * Measures what a driver of a CAIF virtio device costs, see Documentation/performance.md.
 *
 * Loaded first, it makes a modem, for which whatever driver is loaded next has a network device.
 * Reading a file in debugfs measures that driver and gives a JSON object per line.
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

static struct bench_modem *modem;
static struct dentry *dir;

static int with_driver(struct seq_file *out,
		       int (*measure)(struct seq_file *out, struct bench_modem *modem,
				      struct net_device *dev))
{
	struct net_device *dev;
	int err;

	rtnl_lock();
	dev = bench_modem_netdev(modem);
	if (dev)
		dev_hold(dev);
	rtnl_unlock();
	if (!dev)
		return -ENODEV;
	err = measure(out, modem, dev);
	dev_put(dev);
	return err;
}

/* The driver was bound: its rings begin anew. */
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
	/* All of it at once: otherwise it would be measured again. */
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

/* The driver was bound anew. */
static int reset_show(struct seq_file *out, void *unused)
{
	return with_driver(out, reset);
}
DEFINE_SHOW_ATTRIBUTE(reset);

static int __init bench_init(void)
{
	if (!is_power_of_2(num) || num < 64 || num > 32768) {
		pr_err("num=%u is not a power of two from 64 to 32768\n", num);
		return -EINVAL;
	}
	modem = bench_modem_new(num, event_idx);
	if (IS_ERR(modem))
		return PTR_ERR(modem);
	dir = debugfs_create_dir("caif_bench", NULL);
	debugfs_create_file("run", 0400, dir, NULL, &run_fops);
	debugfs_create_file("reset", 0400, dir, NULL, &reset_fops);
	debugfs_create_file("one", 0400, dir, NULL, &one_fops);
	return 0;
}

static void __exit bench_exit(void)
{
	debugfs_remove(dir);
	bench_modem_free(modem);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Measures drivers of CAIF virtio devices");
MODULE_LICENSE("GPL");
