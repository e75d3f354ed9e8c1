// SPDX-License-Identifier: GPL-2.0

#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/skbuff.h>
#include <linux/sockptr.h>
#include <linux/uio.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "sockets.h"

struct socket *caif_kunit_socket(int family, int type, int protocol, int *error)
{
	struct socket *sock = NULL;

	*error = sock_create_kern(&init_net, family, type, protocol, &sock);
	return *error ? NULL : sock;
}

void caif_kunit_socket_release(struct socket *sock)
{
	sock_release(sock);
}

int caif_kunit_socket_connect(struct socket *sock, u8 byte, bool nonblock)
{
	struct sockaddr_storage address = { .ss_family = sock->ops->family };

	((u8 *)&address)[sizeof(address.ss_family)] = byte;
	return kernel_connect(sock, (struct sockaddr_unsized *)&address,
			      sizeof(address.ss_family) + 1, nonblock ? O_NONBLOCK : 0);
}

int caif_kunit_socket_send(struct socket *sock, const void *data, size_t len, unsigned int flags)
{
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_flags = flags };

	return kernel_sendmsg(sock, &msg, &vec, 1, len);
}

int caif_kunit_socket_receive(struct socket *sock, void *data, size_t len, unsigned int flags,
			      unsigned int *said)
{
	struct kvec vec = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {};
	int ret = kernel_recvmsg(sock, &msg, &vec, 1, len, flags);

	*said = msg.msg_flags;
	return ret;
}

unsigned int caif_kunit_socket_events(struct socket *sock)
{
	return (__force unsigned int)sock->ops->poll(NULL, sock, NULL);
}

void caif_kunit_socket_timeouts(struct socket *sock, unsigned int ms)
{
	WRITE_ONCE(sock->sk->sk_rcvtimeo, msecs_to_jiffies(ms));
	WRITE_ONCE(sock->sk->sk_sndtimeo, msecs_to_jiffies(ms));
}

void caif_kunit_socket_priority(struct socket *sock, u32 priority)
{
	WRITE_ONCE(sock->sk->sk_priority, priority);
}

void caif_kunit_socket_room(struct socket *sock, int bytes)
{
	WRITE_ONCE(sock->sk->sk_rcvbuf, bytes);
}

int caif_kunit_socket_memory(const struct socket *sock)
{
	return atomic_read(&sock->sk->sk_rmem_alloc);
}

int caif_kunit_socket_drops(const struct socket *sock)
{
	return sk_drops_read(sock->sk);
}

int caif_kunit_socket_set(struct socket *sock, int level, int name, void *value, unsigned int len)
{
	return sock->ops->setsockopt(sock, level, name, KERNEL_SOCKPTR(value), len);
}

struct sk_buff *caif_kunit_packet(unsigned int len, unsigned int head, u8 first)
{
	struct sk_buff *skb;
	unsigned int i;
	int error;
	u8 byte;

	skb = alloc_skb_with_frags(head, len - head, 0, &error, GFP_KERNEL);
	if (!skb)
		return NULL;
	skb_put(skb, head);
	skb->data_len = len - head;
	skb->len = len;
	for (i = 0; i < len; i++) {
		byte = first + i;
		skb_store_bits(skb, i, &byte, 1);
	}
	return skb;
}

static atomic_t errors;

static void count_error(struct sock *sk)
{
	atomic_inc(&errors);
}

void caif_kunit_socket_count_errors(struct socket *sock)
{
	atomic_set(&errors, 0);
	sock->sk->sk_error_report = count_error;
}

int caif_kunit_socket_errors(void)
{
	return atomic_read(&errors);
}

/* The packet of an error queue was freed. */
static DECLARE_COMPLETION(freed);

static void tell_freed(struct sk_buff *skb)
{
	atomic_sub(skb->truesize, &skb->sk->sk_rmem_alloc);
	complete(&freed);
}

int caif_kunit_socket_put_error(struct socket *sock)
{
	struct sk_buff *skb = alloc_skb(1, GFP_KERNEL);
	int err;

	if (!skb)
		return -ENOMEM;
	reinit_completion(&freed);
	err = sock_queue_err_skb(sock->sk, skb);
	if (err)
		kfree_skb(skb);
	else
		skb->destructor = tell_freed;
	return err;
}

bool caif_kunit_error_is_freed(unsigned int ms)
{
	return wait_for_completion_timeout(&freed, msecs_to_jiffies(ms));
}
