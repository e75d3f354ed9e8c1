// SPDX-License-Identifier: GPL-2.0

#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>

#include "fake_frames.h"
#include "fake_links.h"

static void set_device(struct net_device *dev, struct sk_buff *skb)
{
	skb->dev = dev;
	skb->protocol = htons(ETH_P_CAIF);
	skb_reset_mac_header(skb);
}

void caif_kunit_deliver(struct net_device *dev, struct sk_buff *skb)
{
	set_device(dev, skb);
	netif_rx(skb);
}

void caif_kunit_receive(struct net_device *dev, struct sk_buff *skb)
{
	set_device(dev, skb);
	local_bh_disable();
	netif_receive_skb(skb);
	local_bh_enable();
}

void caif_kunit_put_front(struct sk_buff *skb, u8 id, unsigned int body)
{
	u8 *front = skb_put(skb, FRONT);

	front[0] = (body + FRONT) & 0xff;
	front[1] = (body + FRONT) >> 8;
	front[2] = id;
}

int caif_kunit_link_deliver(struct net_device *dev, u8 id, const void *body, unsigned int len,
			    unsigned int readable)
{
	struct sk_buff *skb = alloc_skb(FRONT + len + BACK, GFP_KERNEL);
	unsigned int rest = len - readable + BACK;
	struct page *page;

	if (!skb)
		return -ENOMEM;
	caif_kunit_put_front(skb, id, len);
	skb_put_data(skb, body, readable);
	if (readable == len) {
		skb_put_zero(skb, BACK);
		caif_kunit_receive(dev, skb);
		return 0;
	}
	page = alloc_page(GFP_KERNEL);
	if (!page) {
		kfree_skb(skb);
		return -ENOMEM;
	}
	skb_fill_page_desc(skb, 0, page, 0, rest);
	skb->len += rest;
	skb->data_len += rest;
	skb->truesize += PAGE_SIZE;
	skb->unreadable = 1;
	caif_kunit_receive(dev, skb);
	return 0;
}

int caif_kunit_link_deliver_partial(struct net_device *dev, u8 id, const void *body,
				    unsigned int len, unsigned int start, unsigned int offset)
{
	struct sk_buff *skb = alloc_skb(FRONT + len + BACK, GFP_KERNEL);

	if (!skb)
		return -ENOMEM;
	caif_kunit_put_front(skb, id, len);
	skb_put_data(skb, body, len);
	skb_put_zero(skb, BACK);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + FRONT + start;
	skb->csum_offset = offset;
	caif_kunit_receive(dev, skb);
	return 0;
}

static atomic_t pages_back;

static void give_back(struct sk_buff *skb, struct ubuf_info *uarg, bool success)
{
	atomic_inc(&pages_back);
}

static const struct ubuf_info_ops user_ops = { .complete = give_back };

int caif_kunit_pages_back(void)
{
	return atomic_xchg(&pages_back, 0);
}

int caif_kunit_link_deliver_user(struct net_device *dev, u8 id, const void *body,
				 unsigned int len)
{
	/* It is not looked at after the pages were given back. */
	static struct ubuf_info user = { .ops = &user_ops, .flags = SKBFL_ZEROCOPY_FRAG };
	struct sk_buff *skb = alloc_skb(FRONT, GFP_KERNEL);
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);

	if (!skb || !page) {
		kfree_skb(skb);
		if (page)
			put_page(page);
		return -ENOMEM;
	}
	caif_kunit_put_front(skb, id, len);
	memcpy(page_address(page), body, len);
	skb_fill_page_desc(skb, 0, page, 0, len + BACK);
	skb->len += len + BACK;
	skb->data_len += len + BACK;
	skb->truesize += PAGE_SIZE;
	skb_zcopy_init(skb, &user);
	caif_kunit_receive(dev, skb);
	return 0;
}

int caif_kunit_link_deliver_held(struct net_device *dev, u8 id, const void *body, unsigned int len,
				 bool as_clone, bool *is_changed)
{
	struct sk_buff *skb = alloc_skb(FRONT + len + BACK, GFP_KERNEL), *held;
	const unsigned int whole = FRONT + len + BACK;
	const u8 *data;

	if (!skb)
		return -ENOMEM;
	caif_kunit_put_front(skb, id, len);
	skb_put_data(skb, body, len);
	skb_put_zero(skb, BACK);
	held = as_clone ? skb_clone(skb, GFP_KERNEL) : skb_get(skb);
	if (!held) {
		kfree_skb(skb);
		return -ENOMEM;
	}
	if (as_clone) {
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_headroom(skb) + FRONT + 1;
		skb->csum_offset = 0;
	}
	data = held->data;
	caif_kunit_receive(dev, skb);
	*is_changed = held->data != data || held->len != whole ||
		      memcmp(data + FRONT, body, len);
	kfree_skb(held);
	return 0;
}

static rx_handler_result_t to_master(struct sk_buff **pskb)
{
	struct sk_buff *skb = *pskb;

	skb->dev = rcu_dereference(skb->dev->rx_handler_data);
	return RX_HANDLER_ANOTHER;
}

int caif_kunit_link_port(struct net_device *dev, struct net_device *master)
{
	int err = 0;

	rtnl_lock();
	if (master)
		err = netdev_rx_handler_register(dev, to_master, master);
	else
		netdev_rx_handler_unregister(dev);
	rtnl_unlock();
	return err;
}
