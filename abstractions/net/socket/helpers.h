/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions on sockets that are static inlines or macros in the kernel's headers, and
 * accesses to members of struct sock, of which bindgen knows no more than its name, for
 * callers in Rust.
 */
#ifndef ABSTRACTIONS_NET_SOCKET_HELPERS_H
#define ABSTRACTIONS_NET_SOCKET_HELPERS_H

#include <linux/net.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/sockptr.h>
#include <linux/wait.h>
#include <net/sock.h>
#include <net/tcp_states.h>

enum {
	/* Offset of a protocol's own part of a socket, behind struct sock. */
	HELPER_SOCK_PRIVATE = ALIGN(sizeof(struct sock), __alignof__(u64)),
	HELPER_SS_UNCONNECTED = SS_UNCONNECTED,
	HELPER_TASK_INTERRUPTIBLE = TASK_INTERRUPTIBLE,
	HELPER_EPOLLIN = (__force u32)EPOLLIN,
	HELPER_EPOLLOUT = (__force u32)EPOLLOUT,
	HELPER_EPOLLERR = (__force u32)EPOLLERR,
	HELPER_EPOLLHUP = (__force u32)EPOLLHUP,
	HELPER_EPOLLRDNORM = (__force u32)EPOLLRDNORM,
	HELPER_EPOLLWRNORM = (__force u32)EPOLLWRNORM,
	HELPER_EPOLLWRBAND = (__force u32)EPOLLWRBAND,
	HELPER_EPOLLRDHUP = (__force u32)EPOLLRDHUP,
};

struct sock *helper_sk_alloc(struct net *net, int family, struct proto *proto, int kern);
/*
 * Initializes a socket that nobody can see yet, and links @sock and @sk. What is freed with it
 * is still there for a grace period after the last reference is gone.
 */
void helper_sock_init(struct socket *sock, struct sock *sk, int protocol, u32 priority,
		      void (*destruct)(struct sock *sk));
void helper_sock_hold(struct sock *sk);
void helper_sock_put(struct sock *sk);
void helper_sock_orphan(struct sock *sk);
void helper_lock_sock(struct sock *sk);
struct net *helper_sock_net(const struct sock *sk);

/* Like sock_error(): returns the pending error, negative, and clears it. */
int helper_sock_error(struct sock *sk);
int helper_sk_err(const struct sock *sk);
void helper_sk_set_err(struct sock *sk, int err);
u8 helper_sk_shutdown(const struct sock *sk);
void helper_sk_set_shutdown(struct sock *sk, u8 mask);
u8 helper_sk_state(const struct sock *sk);
void helper_sk_set_state(struct sock *sk, u8 state);
/* The number of the socket's inode, 0 once it is orphaned. */
u64 helper_sock_i_ino(const struct sock *sk);
u32 helper_sk_priority(const struct sock *sk);
int helper_sk_bound_dev_if(const struct sock *sk);
int helper_sk_rcvbuf(const struct sock *sk);
int helper_sk_sndbuf(const struct sock *sk);
int helper_sk_rmem_alloc(const struct sock *sk);
bool helper_sock_writeable(const struct sock *sk);
void helper_sk_drops_inc(struct sock *sk);
/* Wakes whoever waits for anything, for an error, or for data; not once the socket is orphaned. */
void helper_sk_state_change(struct sock *sk);
void helper_sk_error_report(struct sock *sk);
void helper_sk_data_ready(struct sock *sk);

long helper_sock_sndtimeo(const struct sock *sk, bool noblock);
long helper_sock_rcvtimeo(const struct sock *sk, bool noblock);
int helper_sock_rcvlowat(const struct sock *sk, bool waitall, int len);
int helper_sock_intr_errno(long timeo);
/*
 * Puts the current task on the wait queue of a socket that is not orphaned. A full barrier: the
 * task misses no wake-up if it checks what it waits for after this.
 */
void helper_sock_wait_begin(struct sock *sk, struct wait_queue_entry *wait);
void helper_sock_wait_end(struct sock *sk, struct wait_queue_entry *wait);
void helper_sock_poll_wait(struct file *file, struct socket *sock, poll_table *table);
void helper_send_sigpipe(void);

unsigned long helper_sk_queue_lock(struct sock *sk);
void helper_sk_queue_unlock(struct sock *sk, unsigned long flags);
/* With the lock of the receive queue held. */
void helper_sk_queue_tail(struct sock *sk, struct sk_buff *skb);
struct sk_buff *helper_sk_queue_first(struct sock *sk);
struct sk_buff *helper_sk_queue_pop(struct sock *sk);
bool helper_sk_queue_empty(const struct sock *sk);
void helper_sk_queue_purge(struct sock *sk);
/* Ends a socket that nobody refers to any more, also in /proc/net/protocols. */
void helper_sock_end(struct sock *sk);
/* Whether the socket's filter lets the packet pass. It may shorten it. */
bool helper_sk_filter(struct sock *sk, struct sk_buff *skb);
/* Makes the socket account for a received packet. */
void helper_skb_set_owner_r(struct sk_buff *skb, struct sock *sk);
void helper_consume_skb(struct sk_buff *skb);

/*
 * Returns a packet with len bytes that are not initialized, for which the socket accounts, or
 * NULL and an error. It does not wait for room.
 */
struct sk_buff *helper_sock_alloc_packet(struct sock *sk, unsigned int headroom,
					 unsigned int len, unsigned int tailroom, int *err);
/* The same for a linear packet, even if the send buffer is full; NULL without memory. */
struct sk_buff *helper_sock_alloc_more(struct sock *sk, unsigned int headroom,
				       unsigned int len, unsigned int tailroom);
/* Returns 0 or -EFAULT. */
int helper_copy_from_sockptr(void *dst, sockptr_t src, size_t size);

#endif
