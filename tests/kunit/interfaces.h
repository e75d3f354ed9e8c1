/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Interfaces of the stack, made by rtnetlink.
 */
#ifndef CAIF_KUNIT_INTERFACES_H
#define CAIF_KUNIT_INTERFACES_H

#include <linux/netdevice.h>

/* Makes an interface over a link, by its number. Returns NULL on failure. */
struct net_device *caif_kunit_interface_new(int link);
void caif_kunit_interface_free(struct net_device *dev);
int caif_kunit_interface_up(struct net_device *dev);
/* Whether packets can be sent with interrupts disabled, by netpoll. */
bool caif_kunit_interface_has_netpoll(const struct net_device *dev);

#endif
