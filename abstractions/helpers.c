// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that are static inlines or macros in the kernel's headers, for
 * callers in Rust. Each does what the function of its name does.
 */

#include <linux/netdevice.h>
#include <linux/virtio_config.h>

#include "helpers.h"

void *caif_helper_netdev_priv(const struct net_device *dev)
{
	return netdev_priv(dev);
}
