/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls of sockets inside the kernel, for the KUnit module.
 */
#ifndef CAIF_KUNIT_SOCKETS_H
#define CAIF_KUNIT_SOCKETS_H

#include <linux/net.h>
#include <linux/skbuff.h>

/* A socket of the initial namespace, or NULL and an error. */
struct socket *caif_kunit_socket(int family, int type, int protocol, int *error);
void caif_kunit_socket_release(struct socket *sock);
/* The address is the family and one byte. */
int caif_kunit_socket_connect(struct socket *sock, u8 byte, bool nonblock);
int caif_kunit_socket_send(struct socket *sock, const void *data, size_t len, unsigned int flags);
int caif_kunit_socket_receive(struct socket *sock, void *data, size_t len, unsigned int flags,
			      unsigned int *said);
unsigned int caif_kunit_socket_events(struct socket *sock);
/* SO_RCVTIMEO and SO_SNDTIMEO, in milliseconds. */
void caif_kunit_socket_timeouts(struct socket *sock, unsigned int ms);
/* SO_PRIORITY. */
void caif_kunit_socket_priority(struct socket *sock, u32 priority);
/* SO_RCVBUF, without a smallest or largest value. */
void caif_kunit_socket_room(struct socket *sock, int bytes);
int caif_kunit_socket_memory(const struct socket *sock);
int caif_kunit_socket_drops(const struct socket *sock);
/* Counts the errors that are reported to the socket from now on, and returns the count. */
void caif_kunit_socket_count_errors(struct socket *sock);
int caif_kunit_socket_errors(void);
/* Puts a packet into the error queue, and waits until the socket has freed it. */
int caif_kunit_socket_put_error(struct socket *sock);
bool caif_kunit_error_is_freed(unsigned int ms);
int caif_kunit_socket_set(struct socket *sock, int level, int name, void *value, unsigned int len);

/* A packet whose bytes count up from @first; all but @head of them are in pages. */
struct sk_buff *caif_kunit_packet(unsigned int len, unsigned int head, u8 first);

#endif
