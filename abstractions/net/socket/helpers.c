// SPDX-License-Identifier: GPL-2.0

#include <linux/filter.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/skbuff.h>
#include <linux/sockptr.h>
#include <net/sock.h>

#include "helpers.h"

struct sock *helper_sk_alloc(struct net *net, int family, struct proto *proto, int kern)
{
	return sk_alloc(net, family, GFP_KERNEL, proto, kern);
}

void helper_sock_init(struct socket *sock, struct sock *sk, int protocol, u32 priority,
		      void (*destruct)(struct sock *sk))
{
	sock_init_data(sock, sk);
	sk->sk_protocol = protocol;
	sk->sk_priority = priority;
	sk->sk_destruct = destruct;
	sock_set_flag(sk, SOCK_RCU_FREE);
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, 1);
}

void helper_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void helper_sock_put(struct sock *sk)
{
	sock_put(sk);
}

void helper_sock_orphan(struct sock *sk)
{
	sock_orphan(sk);
}

void helper_lock_sock(struct sock *sk)
{
	lock_sock(sk);
}

struct net *helper_sock_net(const struct sock *sk)
{
	return sock_net(sk);
}

int helper_sock_error(struct sock *sk)
{
	return sock_error(sk);
}

int helper_sk_err(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err);
}

void helper_sk_set_err(struct sock *sk, int err)
{
	WRITE_ONCE(sk->sk_err, err);
}

u8 helper_sk_shutdown(const struct sock *sk)
{
	return READ_ONCE(sk->sk_shutdown);
}

void helper_sk_set_shutdown(struct sock *sk, u8 mask)
{
	WRITE_ONCE(sk->sk_shutdown, mask);
}

u8 helper_sk_state(const struct sock *sk)
{
	return READ_ONCE(sk->sk_state);
}

void helper_sk_set_state(struct sock *sk, u8 state)
{
	WRITE_ONCE(sk->sk_state, state);
}

u64 helper_sock_i_ino(const struct sock *sk)
{
	return sock_i_ino(sk);
}

u32 helper_sk_priority(const struct sock *sk)
{
	return READ_ONCE(sk->sk_priority);
}

int helper_sk_bound_dev_if(const struct sock *sk)
{
	return READ_ONCE(sk->sk_bound_dev_if);
}

int helper_sk_rcvbuf(const struct sock *sk)
{
	return READ_ONCE(sk->sk_rcvbuf);
}

int helper_sk_sndbuf(const struct sock *sk)
{
	return READ_ONCE(sk->sk_sndbuf);
}

int helper_sk_rmem_alloc(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc);
}

bool helper_sock_writeable(const struct sock *sk)
{
	return sock_writeable(sk);
}

void helper_sk_drops_inc(struct sock *sk)
{
	sk_drops_inc(sk);
}

void helper_sk_state_change(struct sock *sk)
{
	if (!sock_flag(sk, SOCK_DEAD))
		sk->sk_state_change(sk);
}

void helper_sk_error_report(struct sock *sk)
{
	if (!sock_flag(sk, SOCK_DEAD))
		sk_error_report(sk);
}

void helper_sk_data_ready(struct sock *sk)
{
	if (!sock_flag(sk, SOCK_DEAD))
		sk->sk_data_ready(sk);
}

long helper_sock_sndtimeo(const struct sock *sk, bool noblock)
{
	return sock_sndtimeo(sk, noblock);
}

long helper_sock_rcvtimeo(const struct sock *sk, bool noblock)
{
	return sock_rcvtimeo(sk, noblock);
}

int helper_sock_rcvlowat(const struct sock *sk, bool waitall, int len)
{
	return sock_rcvlowat(sk, waitall, len);
}

int helper_sock_intr_errno(long timeo)
{
	return sock_intr_errno(timeo);
}

void helper_sock_wait_begin(struct sock *sk, struct wait_queue_entry *wait)
{
	init_waitqueue_func_entry(wait, woken_wake_function);
	wait->private = current;
	add_wait_queue(sk_sleep(sk), wait);
	/* Pairs with the barrier in skwq_has_sleeper(), which those that wake go by. */
	smp_mb();
}

void helper_sock_wait_end(struct sock *sk, struct wait_queue_entry *wait)
{
	remove_wait_queue(sk_sleep(sk), wait);
}

void helper_sock_poll_wait(struct file *file, struct socket *sock, poll_table *table)
{
	sock_poll_wait(file, sock, table);
}

void helper_send_sigpipe(void)
{
	send_sig(SIGPIPE, current, 0);
}

unsigned long helper_sk_queue_lock(struct sock *sk)
	__acquires(&sk->sk_receive_queue.lock)
{
	unsigned long flags;

	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	return flags;
}

void helper_sk_queue_unlock(struct sock *sk, unsigned long flags)
	__releases(&sk->sk_receive_queue.lock)
{
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
}

void helper_sk_queue_tail(struct sock *sk, struct sk_buff *skb)
{
	__skb_queue_tail(&sk->sk_receive_queue, skb);
}

struct sk_buff *helper_sk_queue_first(struct sock *sk)
{
	return skb_peek(&sk->sk_receive_queue);
}

struct sk_buff *helper_sk_queue_pop(struct sock *sk)
{
	return __skb_dequeue(&sk->sk_receive_queue);
}

bool helper_sk_queue_empty(const struct sock *sk)
{
	return skb_queue_empty_lockless(&sk->sk_receive_queue);
}

void helper_sk_queue_purge(struct sock *sk)
{
	skb_queue_purge(&sk->sk_receive_queue);
}

void helper_sock_end(struct sock *sk)
{
	skb_queue_purge(&sk->sk_receive_queue);
	/* Queueing disciplines report packets there that they could not send in time. */
	skb_queue_purge(&sk->sk_error_queue);
	sock_prot_inuse_add(sock_net(sk), sk->sk_prot, -1);
}

bool helper_sk_filter(struct sock *sk, struct sk_buff *skb)
{
	return !sk_filter(sk, skb);
}

void helper_skb_set_owner_r(struct sk_buff *skb, struct sock *sk)
{
	skb->dev = NULL;
	skb_dst_drop(skb);
	skb_set_owner_r(skb, sk);
}

void helper_consume_skb(struct sk_buff *skb)
{
	consume_skb(skb);
}

struct sk_buff *helper_sock_alloc_packet(struct sock *sk, unsigned int headroom,
					 unsigned int len, unsigned int tailroom, int *err)
{
	/* Large payloads are allocated in pages. */
	unsigned int paged = len > SKB_MAX_ALLOC / 2 ? len : 0;
	struct sk_buff *skb;

	skb = sock_alloc_send_pskb(sk, headroom + len - paged + tailroom, paged, 1, err,
				   PAGE_ALLOC_COSTLY_ORDER);
	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put(skb, len - paged);
	skb->data_len = paged;
	skb->len = len;
	skb->priority = READ_ONCE(sk->sk_priority);
	return skb;
}

struct sk_buff *helper_sock_alloc_more(struct sock *sk, unsigned int headroom,
				       unsigned int len, unsigned int tailroom)
{
	struct sk_buff *skb = sock_wmalloc(sk, headroom + len + tailroom, 1, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, headroom);
	skb_put(skb, len);
	skb->priority = READ_ONCE(sk->sk_priority);
	return skb;
}

int helper_copy_from_sockptr(void *dst, sockptr_t src, size_t size)
{
	/* It returns how many bytes were not copied. */
	return copy_from_sockptr(dst, src, size) ? -EFAULT : 0;
}
