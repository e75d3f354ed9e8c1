/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * AF_CAIF sockets, for programs: addresses, protocols and options.
 *
 * A socket has one channel of a modem. Which kind of channel is said by the protocol
 * that the socket is made with, which one by the address that it is connected to.
 */
#ifndef _CAIF_SOCKET_H
#define _CAIF_SOCKET_H

#include <linux/socket.h>
#include <linux/types.h>

#ifndef AF_CAIF
#define AF_CAIF 37
#endif
#ifndef SOL_CAIF
#define SOL_CAIF 278
#endif

/* The third argument of socket(). */
enum caif_protocol_type {
	CAIFPROTO_AT,			/* AT commands */
	CAIFPROTO_DATAGRAM,		/* IP packets */
	CAIFPROTO_DATAGRAM_LOOP,	/* datagrams that the modem returns */
	CAIFPROTO_UTIL,			/* a service of the modem, by name */
	CAIFPROTO_RFM,			/* files of the modem */
	CAIFPROTO_DEBUG,		/* traces */
	_CAIFPROTO_MAX,
};

#define CAIFPROTO_MAX _CAIFPROTO_MAX

/* The kind of an AT channel. */
enum caif_at_type {
	CAIF_ATTYPE_PLAIN = 2,
};

/* What comes on a channel of traces, and from whom. */
enum caif_debug_type {
	CAIF_DEBUG_TRACE_INTERACTIVE,
	CAIF_DEBUG_TRACE,
	CAIF_DEBUG_INTERACTIVE,
};

enum caif_debug_service {
	CAIF_RADIO_DEBUG_SERVICE = 1,
	CAIF_APP_DEBUG_SERVICE,
};

/* SO_PRIORITY: which of its channels the modem serves first. */
enum caif_channel_priority {
	CAIF_PRIO_MIN = 0x01,
	CAIF_PRIO_LOW = 0x04,
	CAIF_PRIO_NORMAL = 0x0f,
	CAIF_PRIO_HIGH = 0x14,
	CAIF_PRIO_MAX = 0x1f,
};

/* Values of CAIFSO_LINK_SELECT. */
enum caif_link_selector {
	CAIF_LINK_HIGH_BANDW,
	CAIF_LINK_LOW_LATENCY,
};

/* Options of level SOL_CAIF. The first two are set before the socket is connected. */
enum caif_socket_opts {
	CAIFSO_LINK_SELECT = 127,	/* int: the kind of link */
	CAIFSO_REQ_PARAM = 128,		/* UTIL: at most 255 bytes for the service */
	CAIFSO_RSP_PARAM = 129,		/* UTIL, to be read: what the service answered */
};

/* The address of a channel, for connect(). */
struct sockaddr_caif {
	__kernel_sa_family_t family;	/* AF_CAIF */
	union {
		struct {
			__u8 type;		/* enum caif_at_type */
		} at;				/* CAIFPROTO_AT */
		struct {
			char service[16];	/* the name; a NUL only if it is shorter */
		} util;				/* CAIFPROTO_UTIL */
		union {
			__u32 connection_id;
			__u8 nsapi;
		} dgm;				/* CAIFPROTO_DATAGRAM, ..._LOOP */
		struct {
			__u32 connection_id;
			char volume[16];
		} rfm;				/* CAIFPROTO_RFM */
		struct {
			__u8 type;		/* enum caif_debug_type */
			__u8 service;		/* enum caif_debug_service */
		} dbg;				/* CAIFPROTO_DEBUG */
	} u;
};

#endif
