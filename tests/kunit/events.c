// SPDX-License-Identifier: GPL-2.0

#include <linux/if_arp.h>
#include <linux/limits.h>
#include <linux/netdevice.h>

#include "events.h"

/* By event. */
static atomic_t seen[64];

static int see(struct notifier_block *nb, unsigned long event, void *ptr)
{
	const struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event < ARRAY_SIZE(seen) && !strncmp(dev->name, "kunitlink", 9))
		atomic_inc(&seen[event]);
	return NOTIFY_DONE;
}

/* The last one that is called. */
static struct notifier_block last = { .notifier_call = see, .priority = INT_MIN };

static atomic_t is_on;

int caif_kunit_see_events(bool on)
{
	int err;

	if (!on) {
		err = unregister_netdevice_notifier(&last);
		atomic_set(&is_on, 0);
		return err;
	}
	if (atomic_xchg(&is_on, 1))
		return -EBUSY;
	err = register_netdevice_notifier(&last);
	if (err)
		atomic_set(&is_on, 0);
	/* Those of devices that are there. */
	for (unsigned int event = 0; event < ARRAY_SIZE(seen); event++)
		atomic_set(&seen[event], 0);
	return err;
}

int caif_kunit_events_seen(unsigned int event)
{
	return event < ARRAY_SIZE(seen) ? atomic_read(&seen[event]) : 0;
}
