// SPDX-License-Identifier: GPL-2.0

#include <linux/delay.h>
#include <linux/if_ether.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include <net/netlink.h>

#include "fake_links.h"
#include "interfaces.h"

/* The number of the last interface, which is in its name. */
static atomic_t last;

/* The message that asks for an interface. */
static struct sk_buff *request(const char *name, int link, unsigned int queues)
{
	struct sk_buff *skb = nlmsg_new(NLMSG_DEFAULT_SIZE, GFP_KERNEL);
	struct nlmsghdr *head;
	struct nlattr *info;

	if (!skb)
		return NULL;
	head = nlmsg_put(skb, 0, 0, RTM_NEWLINK, sizeof(struct ifinfomsg),
			 NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL);
	if (!head)
		goto err;
	memset(nlmsg_data(head), 0, sizeof(struct ifinfomsg));
	if (nla_put_string(skb, IFLA_IFNAME, name) || nla_put_u32(skb, IFLA_LINK, link) ||
	    nla_put_u32(skb, IFLA_NUM_TX_QUEUES, queues))
		goto err;
	info = nla_nest_start(skb, IFLA_LINKINFO);
	if (!info || nla_put_string(skb, IFLA_INFO_KIND, "caif"))
		goto err;
	nla_nest_end(skb, info);
	nlmsg_end(skb, head);
	return skb;
err:
	kfree_skb(skb);
	return NULL;
}

struct net_device *caif_kunit_interface_new(int link, unsigned int queues)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct msghdr msg = { .msg_name = &kernel, .msg_namelen = sizeof(kernel) };
	struct net_device *dev = NULL;
	struct socket *sock;
	char name[IFNAMSIZ];
	struct sk_buff *skb;
	struct kvec vec;

	snprintf(name, sizeof(name), "kunitcaif%d", atomic_inc_return(&last) % 1000);
	skb = request(name, link, queues);
	if (!skb)
		return NULL;
	if (sock_create_kern(&init_net, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &sock))
		goto out;
	vec = (struct kvec) { .iov_base = skb->data, .iov_len = skb->len };
	/* The request is handled in this call. */
	if (kernel_sendmsg(sock, &msg, &vec, 1, vec.iov_len) >= 0)
		dev = dev_get_by_name(&init_net, name);
	/* Nobody else removes it. */
	dev_put(dev);
	sock_release(sock);
out:
	kfree_skb(skb);
	return dev;
}

void caif_kunit_interface_free(struct net_device *dev)
{
	unregister_netdev(dev);
}

static int restart(struct net_device *link)
{
	int err;

	dev_close(link);
	err = dev_open(link, NULL);
	/* Meanwhile the interface's task begins to wait for RTNL, which nobody can see. */
	msleep(50);
	return err;
}

int caif_kunit_interface_free_with(struct net_device *dev, struct net_device *link)
{
	int err;

	rtnl_lock();
	err = restart(link);
	unregister_netdevice(dev);
	rtnl_unlock();
	return err;
}

int caif_kunit_interface_restart_link(struct net_device *link, unsigned int times)
{
	int err = 0;

	rtnl_lock();
	while (times-- && !err)
		err = restart(link);
	rtnl_unlock();
	return err;
}

void caif_kunit_interface_no_queue(struct net_device *dev)
{
	dev->priv_flags |= IFF_NO_QUEUE;
}

int caif_kunit_interface_up(struct net_device *dev)
{
	int err;

	rtnl_lock();
	/* IPv6 would send packets that no test asked for. */
	dev->priv_flags |= IFF_NO_ADDRCONF;
	err = dev_open(dev, NULL);
	rtnl_unlock();
	return err;
}

static struct sk_buff *ip_packet(struct net_device *dev)
{
	struct sk_buff *skb = alloc_skb(LL_MAX_HEADER + 20 + 2, GFP_KERNEL);
	u8 *packet;

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	packet = skb_put_zero(skb, 20);
	packet[0] = 0x45;
	skb->dev = dev;
	skb->protocol = htons(ETH_P_IP);
	skb_reset_network_header(skb);
	return skb;
}

int caif_kunit_interface_send(struct net_device *dev, unsigned int queue)
{
	struct sk_buff *skb = ip_packet(dev);

	return skb ? dev_direct_xmit(skb, queue) : -ENOMEM;
}

int caif_kunit_interface_send_late(struct net_device *dev)
{
	struct sk_buff *skb = ip_packet(dev);
	netdev_tx_t sent;

	if (!skb)
		return -ENOMEM;
	local_bh_disable();
	sent = netdev_start_xmit(skb, dev, netdev_get_tx_queue(dev, 0), false);
	local_bh_enable();
	return dev_xmit_complete(sent) ? 0 : -EBUSY;
}

void caif_kunit_interface_new_queue(struct net_device *dev)
{
	netif_tx_start_all_queues(dev);
}

unsigned int caif_kunit_interface_dropped(struct net_device *dev)
{
	struct rtnl_link_stats64 stats;

	return dev_get_stats(dev, &stats)->tx_dropped;
}

unsigned int caif_kunit_interface_headroom(const struct net_device *dev)
{
	return dev->needed_headroom;
}

/* A packet with the room around it that IP leaves for the device. */
static struct sk_buff *make(struct net_device *dev, const void *packet, unsigned int len)
{
	unsigned int room = LL_RESERVED_SPACE(dev);
	struct sk_buff *skb = alloc_skb(room + len + dev->needed_tailroom, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, room);
	skb_put_data(skb, packet, len);
	skb->dev = dev;
	skb->protocol = htons(ETH_P_IP);
	skb_reset_network_header(skb);
	return skb;
}

int caif_kunit_interface_send_whole(struct net_device *dev, const void *packet, unsigned int len,
				    const struct net_device *link, bool *is_moved)
{
	struct sk_buff *skb = make(dev, packet, len);
	const void *head;
	int err;

	if (!skb)
		return -ENOMEM;
	head = skb->head;
	err = dev_direct_xmit(skb, 0);
	*is_moved = caif_kunit_link_last_head(link) != head;
	return err;
}

int caif_kunit_interface_send_held(struct net_device *dev, const void *packet, unsigned int len,
				   bool as_clone, bool *is_changed)
{
	struct sk_buff *skb = make(dev, packet, len), *held;
	int err;

	if (!skb)
		return -ENOMEM;
	held = as_clone ? skb_clone(skb, GFP_KERNEL) : skb_get(skb);
	if (!held) {
		kfree_skb(skb);
		return -ENOMEM;
	}
	err = dev_direct_xmit(skb, 0);
	*is_changed = held->len != len || memcmp(held->data, packet, len);
	kfree_skb(held);
	return err;
}

/* Packets with an owner that were given back. */
static atomic_t given_back;

static void give_back(struct sk_buff *skb)
{
	atomic_inc(&given_back);
}

int caif_kunit_interface_send_owned(struct net_device *dev, const void *packet, unsigned int len)
{
	struct sk_buff *skb = make(dev, packet, len);

	if (!skb)
		return -ENOMEM;
	skb->destructor = give_back;
	return dev_direct_xmit(skb, 0);
}

int caif_kunit_packets_back(void)
{
	return atomic_xchg(&given_back, 0);
}

unsigned int caif_kunit_interface_stopped(const struct net_device *dev)
{
	unsigned int stopped = 0;

	for (unsigned int i = 0; i < dev->real_num_tx_queues; i++)
		stopped += netif_tx_queue_stopped(netdev_get_tx_queue(dev, i));
	return stopped;
}

bool caif_kunit_interface_has_netpoll(const struct net_device *dev)
{
	return !(dev->priv_flags & IFF_DISABLE_NETPOLL);
}
