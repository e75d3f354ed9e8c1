/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for abstractions/bindings.rs: the headers whose items the
 * kernel crate has no bindings for.
 */

#include <linux/capability.h>
#include <linux/dma-mapping.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/io.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/of_reserved_mem.h>
#include <linux/pkt_sched.h>
#include <linux/platform_device.h>
#include <linux/remoteproc.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/timer.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>
#include <net/rtnetlink.h>

#include "helpers.h"
#include "net/gro_cell.h"
#include "net/helpers.h"
#include "net/socket/helpers.h"
#include "platform/helpers.h"

/* Exported to remoteproc drivers, but declared in none of the public headers. */
irqreturn_t rproc_vq_interrupt(struct rproc *rproc, int vq_id);
