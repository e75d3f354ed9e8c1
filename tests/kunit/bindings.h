/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads for the tests' bindings, besides what the abstractions
 * have.
 */

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/remoteproc.h>

#include "helpers.h"
#include "fake_links.h"
#include "sockets.h"
