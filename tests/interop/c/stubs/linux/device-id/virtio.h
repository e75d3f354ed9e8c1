/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's header virtio.h wants this file, of which its user-space
 * headers have the content under another name.
 */
#include <linux/mod_devicetable.h>
