// SPDX-License-Identifier: GPL-2.0
/* IPv4 packets that the measurements of the stack send and receive. */
#include <linux/ip.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "measure.h"

#define SOURCE htonl(0x0a090101)
#define DESTINATION htonl(0x0a090102)
#define PORT htons(5000)

static void ip_header(struct iphdr *ip, unsigned int len, struct bench_flow *flow)
{
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = htons(min(len, 0xffffU)),
		.id = htons(flow->id++),
		.frag_off = htons(IP_DF),
		.ttl = 64,
		.protocol = flow->tcp ? IPPROTO_TCP : IPPROTO_UDP,
		.saddr = SOURCE,
		.daddr = DESTINATION,
	};
	ip->check = ip_fast_csum(ip, ip->ihl);
}

/* A header with the option of time stamps, as nearly all segments have it. */
static void tcp_header(struct tcphdr *tcp, struct bench_flow *flow)
{
	__be32 *options = (__be32 *)(tcp + 1);

	memset(tcp, 0, sizeof(*tcp));
	tcp->source = PORT;
	tcp->dest = PORT;
	tcp->seq = htonl(flow->seq);
	tcp->ack_seq = htonl(1);
	tcp->doff = 8;
	tcp->ack = 1;
	tcp->window = htons(1000);
	options[0] = htonl(TCPOPT_NOP << 24 | TCPOPT_NOP << 16 | TCPOPT_TIMESTAMP << 8 |
			   TCPOLEN_TIMESTAMP);
	options[1] = htonl(1);
	options[2] = htonl(1);
}

void bench_packet(void *to, unsigned int len, struct bench_flow *flow)
{
	struct iphdr *ip = to;
	unsigned int rest = len - sizeof(*ip);
	struct udphdr *udp;
	struct tcphdr *tcp;

	memset(to, 0x5a, len);
	ip_header(ip, len, flow);
	if (!flow->tcp) {
		/* Without a checksum. */
		udp = (struct udphdr *)(ip + 1);
		*udp = (struct udphdr){ .source = PORT, .dest = PORT, .len = htons(rest) };
		return;
	}
	tcp = (struct tcphdr *)(ip + 1);
	tcp_header(tcp, flow);
	tcp->check = csum_tcpudp_magic(ip->saddr, ip->daddr, rest, IPPROTO_TCP,
				       csum_partial(tcp, rest, 0));
	flow->seq += len - BENCH_TCP_HEADERS;
}

static void finish(struct sk_buff *skb, struct net_device *dev)
{
	skb->dev = dev;
	skb->protocol = htons(ETH_P_IP);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, sizeof(struct iphdr));
}

struct sk_buff *bench_linear(struct net_device *dev, unsigned int len, struct bench_flow *flow)
{
	struct sk_buff *skb = alloc_skb(LL_RESERVED_SPACE(dev) + len + 64, GFP_KERNEL);

	if (!skb)
		return NULL;
	skb_reserve(skb, LL_RESERVED_SPACE(dev));
	bench_packet(skb_put(skb, len), len, flow);
	finish(skb, dev);
	return skb;
}

struct sk_buff *bench_paged(struct net_device *dev, unsigned int payload, unsigned int mss,
			    struct bench_flow *flow)
{
	struct sk_buff *skb = alloc_skb(MAX_TCP_HEADER, GFP_KERNEL);
	unsigned int len = BENCH_TCP_HEADERS + payload, left = payload;
	struct tcphdr *tcp;

	if (!skb)
		return NULL;
	skb_reserve(skb, MAX_TCP_HEADER - BENCH_TCP_HEADERS);
	ip_header(skb_put(skb, sizeof(struct iphdr)), len, flow);
	tcp = skb_put(skb, BENCH_TCP_HEADERS - sizeof(struct iphdr));
	tcp_header(tcp, flow);
	finish(skb, dev);
	skb->ip_summed = CHECKSUM_PARTIAL;
	tcp->check = ~csum_tcpudp_magic(SOURCE, DESTINATION, len - sizeof(struct iphdr),
					IPPROTO_TCP, 0);
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct tcphdr, check);
	for (int i = 0; left; i++) {
		unsigned int size = min(left, PAGE_SIZE << 3);
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(size));

		if (!page) {
			kfree_skb(skb);
			return NULL;
		}
		skb_add_rx_frag(skb, i, page, 0, size, size);
		left -= size;
	}
	if (payload > mss) {
		skb_shinfo(skb)->gso_size = mss;
		skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4;
		skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(payload, mss);
	}
	flow->seq += payload;
	__skb_header_release(skb);
	return skb;
}
