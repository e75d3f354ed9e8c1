/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Headers for the tests' own bindings, beside those of the abstractions.
 */

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/remoteproc.h>

#include "helpers.h"
#include "cells.h"
#include "events.h"
#include "fake_links.h"
#include "interfaces.h"
#include "sockets.h"
