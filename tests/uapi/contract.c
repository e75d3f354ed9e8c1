/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract of AF_CAIF that programs are compiled against, in numbers: they are those of Linux
 * 6.12, whose header must pass as well (scripts/caif-stack). Compiled only, as C and as C++.
 */
#ifdef WITH_LIBC
/* A C library has numbers of its own for the family and its level. */
#include <sys/socket.h>
#endif
#ifndef HEADER
#define HEADER "caif_socket.h"
#endif
#include HEADER
#include <stddef.h>

#ifdef __cplusplus
#define _Static_assert static_assert
#define _Alignof alignof
#endif

#define IS(value, number) _Static_assert((value) == (number), #value " is not " #number)
#define SIZE(member) sizeof(((struct sockaddr_caif *)0)->member)
/* A member of the address: where it is, and how many bytes it has. */
#define MEMBER(member, offset, size)                                                                                   \
	IS(offsetof(struct sockaddr_caif, member), offset);                                                            \
	IS(SIZE(member), size)

IS(AF_CAIF, 37);
IS(SOL_CAIF, 278);

IS(CAIFPROTO_AT, 0);
IS(CAIFPROTO_DATAGRAM, 1);
IS(CAIFPROTO_DATAGRAM_LOOP, 2);
IS(CAIFPROTO_UTIL, 3);
IS(CAIFPROTO_RFM, 4);
IS(CAIFPROTO_DEBUG, 5);
IS(_CAIFPROTO_MAX, 6);
IS(CAIFPROTO_MAX, 6);

IS(CAIF_ATTYPE_PLAIN, 2);

IS(CAIF_DEBUG_TRACE_INTERACTIVE, 0);
IS(CAIF_DEBUG_TRACE, 1);
IS(CAIF_DEBUG_INTERACTIVE, 2);
IS(CAIF_RADIO_DEBUG_SERVICE, 1);
IS(CAIF_APP_DEBUG_SERVICE, 2);

IS(CAIF_PRIO_MIN, 1);
IS(CAIF_PRIO_LOW, 4);
IS(CAIF_PRIO_NORMAL, 15);
IS(CAIF_PRIO_HIGH, 20);
IS(CAIF_PRIO_MAX, 31);

IS(CAIF_LINK_HIGH_BANDW, 0);
IS(CAIF_LINK_LOW_LATENCY, 1);

IS(CAIFSO_LINK_SELECT, 127);
IS(CAIFSO_REQ_PARAM, 128);
IS(CAIFSO_RSP_PARAM, 129);

IS(sizeof(struct sockaddr_caif), 24);
IS(_Alignof(struct sockaddr_caif), 4);
MEMBER(family, 0, 2);
MEMBER(u, 4, 20);
MEMBER(u.at, 4, 1);
MEMBER(u.at.type, 4, 1);
MEMBER(u.util, 4, 16);
MEMBER(u.util.service, 4, 16);
MEMBER(u.dgm, 4, 4);
MEMBER(u.dgm.connection_id, 4, 4);
MEMBER(u.dgm.nsapi, 4, 1);
MEMBER(u.rfm, 4, 20);
MEMBER(u.rfm.connection_id, 4, 4);
MEMBER(u.rfm.volume, 8, 16);
MEMBER(u.dbg, 4, 2);
MEMBER(u.dbg.type, 4, 1);
MEMBER(u.dbg.service, 5, 1);

/* Neither has a sign. */
IS((__typeof__(((struct sockaddr_caif *)0)->u.dgm.connection_id))-1 > 0, 1);
IS((__typeof__(((struct sockaddr_caif *)0)->u.at.type))-1 > 0, 1);
