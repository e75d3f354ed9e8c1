// SPDX-License-Identifier: GPL-2.0
/* What the tests do to a remote processor while it is registered or attached to. */

#include <linux/device.h>
#include <linux/platform_device.h>
#include <linux/remoteproc.h>

#include "helpers.h"

static struct {
	const struct device *ancestor;
	u8 *place;
	u8 value;
	bool done;
} change;

static int change_event(struct notifier_block *nb, unsigned long event, void *dev)
{
	if (event == BUS_NOTIFY_BIND_DRIVER && caif_kunit_is_below(dev, change.ancestor)) {
		WRITE_ONCE(*change.place, change.value);
		change.done = true;
	}
	return NOTIFY_DONE;
}

static struct notifier_block change_notifier = { .notifier_call = change_event };

int caif_kunit_change_at_bind(const struct device *ancestor, void *place, u8 value)
{
	change.ancestor = ancestor;
	change.place = place;
	change.value = value;
	change.done = false;
	return bus_register_notifier(&platform_bus_type, &change_notifier);
}

bool caif_kunit_change_at_bind_end(void)
{
	bus_unregister_notifier(&platform_bus_type, &change_notifier);
	return change.done;
}

const char *caif_kunit_take_name(struct rproc *rproc)
{
	const char *name = rproc->dev.kobj.name;

	rproc->dev.kobj.name = NULL;
	return name;
}

void caif_kunit_put_name(struct rproc *rproc, const char *name)
{
	rproc->dev.kobj.name = name;
}

unsigned int caif_kunit_references(const struct rproc *rproc)
{
	return kref_read(&rproc->dev.kobj.kref);
}
