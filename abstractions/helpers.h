/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CAIF_HELPERS_H
#define CAIF_HELPERS_H

#include <linux/netdevice.h>

void *caif_helper_netdev_priv(const struct net_device *dev);

#endif
