/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events of fake links, as the last notifier in the chain is told of them.
 */
#ifndef CAIF_KUNIT_EVENTS_H
#define CAIF_KUNIT_EVENTS_H

#include <linux/types.h>

/* Begins to count events from 0, and ends that. */
int caif_kunit_see_events(bool on);
/* How many there were of one kind, NETDEV_*. */
int caif_kunit_events_seen(unsigned int event);

#endif
