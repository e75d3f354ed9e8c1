/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Shared by both examples of firmware: the resource table of a CAIF link, and the functions
 * between a link and the rest of the firmware. Documentation/modem-side.md explains the values.
 *
 * For one file of the firmware to include, which first defines CAIF_FEATURES.
 */
#ifndef CAIF_LINK_H
#define CAIF_LINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Feature bit 29: notifications by index. */
#define CAIF_EVENT_IDX (1U << 29)
/* Descriptors of each vring, a power of two. */
#define CAIF_NUM 256U
/* Alignment of the vrings and of their used rings. */
#define CAIF_ALIGN 4096U
/* Bytes before and after each frame, which belong to the modem. */
#define CAIF_HEADROOM 32U
#define CAIF_TAILROOM 32U
/* Bytes of a buffer, with both rooms. */
#define CAIF_MTU 4096U
/* Numbers of the vrings. */
#define CAIF_TO_LINUX 0U
#define CAIF_FROM_LINUX 1U
/* Status of a virtio device whose driver is ready. */
#define CAIF_DRIVER_OK 4U
/* Address of a vring that Linux has not placed yet. */
#define CAIF_ANYWHERE 0xffffffffU

struct caif_vring {
	uint32_t da, align, num, notifyid, reserved;
};

struct caif_direction {
	uint16_t headroom, tailroom;
	uint32_t mtu, reserved;
};

/* A resource table of one entry. */
struct caif_table {
	uint32_t version, entries, reserved[2], offset;
	uint32_t type, id, notifyid, dfeatures, gfeatures, config_len;
	uint8_t status, num_of_vrings, padding[2];
	struct caif_vring vring[2];
	struct caif_direction uplink, downlink;
	uint32_t unused[2];
};

_Static_assert(sizeof(struct caif_table) == 120, "there must be no padding");
_Static_assert(offsetof(struct caif_table, uplink) == 88, "the config space follows the vrings");

/*
 * Linux writes to it while the modem runs: volatile, and in memory that the modem does not cache.
 * The linker script puts the section .resource_table there.
 */
static volatile struct caif_table caif_table
	__attribute__((section(".resource_table"), used, aligned(8))) = {
	.version = 1,
	.entries = 1,
	.offset = offsetof(struct caif_table, type),
	.type = 3, /* a virtio device */
	.id = 12, /* CAIF */
	.notifyid = 31, /* of the device: none of the numbers of the vrings */
	.dfeatures = CAIF_FEATURES,
	.config_len = 32,
	.num_of_vrings = 2,
	.vring = {
		{ .da = CAIF_ANYWHERE, .align = CAIF_ALIGN, .num = CAIF_NUM, .notifyid = 0 },
		{ .da = CAIF_ANYWHERE, .align = CAIF_ALIGN, .num = CAIF_NUM, .notifyid = 1 },
	},
	.uplink = { CAIF_HEADROOM, CAIF_TAILROOM, CAIF_MTU, 0 },
	.downlink = { CAIF_HEADROOM, CAIF_TAILROOM, CAIF_MTU, 0 },
};

/* Returns whether the driver of Linux is ready: only then may anything be written to a vring. */
static inline bool caif_ready(void)
{
	if (!(caif_table.status & CAIF_DRIVER_OK) ||
	    caif_table.vring[CAIF_TO_LINUX].da == CAIF_ANYWHERE ||
	    caif_table.vring[CAIF_FROM_LINUX].da == CAIF_ANYWHERE)
		return false;
	/* Orders the status before the loads of what Linux wrote before it. */
	atomic_thread_fence(memory_order_acquire);
	return true;
}

/* Provided by the firmware's code for the SoC. */

/* Returns where the modem has mapped a device address. */
void *soc_map(uint32_t da);
/* Interrupts Linux for the vring of this notify id. */
void soc_interrupt(uint32_t notifyid);
/* Takes a frame from Linux. The buffer is not used any more on return. */
void soc_received(const uint8_t *frame, uint32_t len);
/* Takes a buffer back that was given to caif_send() or that a reset of the device freed. */
void soc_free(void *buffer);

/* Provided by the example. To be called by one thread, or with interrupts off. */

/*
 * Handles all events. To be called after each kick, whatever its number, and at start. The
 * handler of the mailbox's interrupt only wakes the thread: a kick may come before there are
 * virtqueues.
 */
void caif_poll(void);
/*
 * Sends a buffer of len bytes with a frame between headroom and tailroom. Returns false if
 * there is no room now; the buffer is the caller's then. Otherwise soc_free() releases it
 * later.
 */
bool caif_send(void *buffer, uint32_t len);

#endif
