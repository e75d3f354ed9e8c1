// SPDX-License-Identifier: GPL-2.0

#include <linux/delay.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/kthread.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include <net/sch_generic.h>
#include <net/sock.h>

#include "fake_frames.h"
#include "fake_links.h"

/* The one byte of a message of flow control; flow-off is one more. */
#define FLOW_ON 0x80

struct modem {
	/* The device takes one more packet, then none. */
	bool full;
	atomic_t counts[CAIF_KUNIT_COUNTS];
	atomic_t last_id;
	/* The ids that it has assigned, until it is told that a channel ends. */
	DECLARE_BITMAP(open, U8_MAX + 1);
	bool silent;
	bool refuses;
	/* It refuses a second channel. */
	bool single;
	/* Packets are taken, with NET_XMIT_CN. */
	bool congested;
	/* Packets are dropped, with NET_XMIT_DROP, but for as many more. */
	bool losing;
	unsigned int spared;
	/* The beginning of the last frame, and the memory that it was in. */
	u8 last[CAIF_KUNIT_KEPT];
	const void *last_head;
	/* The socket that is closed when the state of another one changes. */
	struct socket *closes;
	struct work_struct close;
	bool has_closed;
	/* The answer that a silent modem has not given. */
	struct sk_buff *withheld;
	struct task_struct *storm;
};

/* The answer to a request: the same, with a link id behind if it is granted. */
static struct sk_buff *answer(struct modem *modem, const struct sk_buff *request)
{
	bool refuses = READ_ONCE(modem->refuses) ||
		       (READ_ONCE(modem->single) && !bitmap_empty(modem->open, U8_MAX + 1));
	unsigned int body = request->len - FRONT - BACK;
	struct sk_buff *skb = alloc_skb(request->len + 1, GFP_ATOMIC);
	u8 *to, id;

	if (!skb)
		return NULL;
	caif_kunit_put_front(skb, 0, body + !refuses);
	to = skb_put(skb, body);
	skb_copy_bits(request, FRONT, to, body);
	to[0] |= refuses ? 0x30 : 0x20;
	if (!refuses) {
		id = atomic_inc_return(&modem->last_id);
		skb_put_u8(skb, id);
		set_bit(id, modem->open);
	}
	skb_put_zero(skb, BACK);
	return skb;
}

static void close_it(struct work_struct *work)
{
	struct modem *modem = container_of(work, struct modem, close);

	sock_release(modem->closes);
	WRITE_ONCE(modem->has_closed, true);
}

/* Counts and keeps a frame of a channel. */
static void take_frame(struct modem *modem, const struct sk_buff *skb, u8 id, u8 first)
{
	atomic_inc(&modem->counts[CAIF_KUNIT_FRAMES]);
	if (!test_bit(id, modem->open))
		atomic_inc(&modem->counts[CAIF_KUNIT_LATES]);
	if (skb->len == FRONT + 1 + BACK && (first & ~1) == FLOW_ON)
		atomic_inc(&modem->counts[first == FLOW_ON ? CAIF_KUNIT_FLOW_ONS :
							     CAIF_KUNIT_FLOW_OFFS]);
	memset(modem->last, 0, sizeof(modem->last));
	skb_copy_bits(skb, 0, modem->last, min(skb->len, CAIF_KUNIT_KEPT));
	modem->last_head = skb->head;
}

/* Lets another CPU close the socket before the caller goes on. */
static void close_beside(struct modem *modem)
{
	queue_work(system_dfl_wq, &modem->close);
	for (int ms = 0; ms < 5000 && !READ_ONCE(modem->has_closed); ms++)
		mdelay(1);
}

static netdev_tx_t xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct modem *modem = netdev_priv(dev);
	int taken = READ_ONCE(modem->congested) ? NET_XMIT_CN : NETDEV_TX_OK;
	struct sk_buff *answered;
	u8 head[FRONT + 2];

	if (skb_get_queue_mapping(skb) >= dev->real_num_tx_queues)
		atomic_inc(&modem->counts[CAIF_KUNIT_STRAYS]);
	if (skb->len <= FRONT + BACK || skb_copy_bits(skb, 0, head, sizeof(head)))
		goto out;
	if (READ_ONCE(modem->losing) && !modem->spared) {
		atomic_inc(&modem->counts[CAIF_KUNIT_LOST]);
		taken = NET_XMIT_DROP;
	} else if (head[2]) {
		if (modem->spared)
			modem->spared--;
		take_frame(modem, skb, head[2], head[3]);
	} else if (head[3] == 1) {
		atomic_inc(&modem->counts[CAIF_KUNIT_DESTROYS]);
		if (!test_and_clear_bit(head[4], modem->open))
			atomic_inc(&modem->counts[CAIF_KUNIT_LATES]);
	} else if (head[3] == 0) {
		answered = answer(modem, skb);
		if (answered && READ_ONCE(modem->silent))
			answered = xchg(&modem->withheld, answered);
		else if (answered)
			caif_kunit_deliver(dev, answered), answered = NULL;
		kfree_skb(answered);
		atomic_inc(&modem->counts[CAIF_KUNIT_SETUPS]);
	}
out:
	if (READ_ONCE(modem->full))
		netif_stop_queue(dev);
	/* Pairs with the barrier in wait_var_event_timeout(). */
	smp_mb();
	wake_up_var(&modem->counts);
	dev_consume_skb_any(skb);
	return (netdev_tx_t)taken;
}

static atomic_t left;

/* Those who know of the device were told before this that it goes. */
static void uninit(struct net_device *dev)
{
	if (!list_empty(&dev->ptype_specific))
		atomic_inc(&left);
}

int caif_kunit_links_left(void)
{
	return atomic_xchg(&left, 0);
}

static const struct net_device_ops ops = {
	.ndo_start_xmit = xmit,
	.ndo_uninit = uninit,
};

static void setup(struct net_device *dev)
{
	dev->netdev_ops = &ops;
	dev->type = ARPHRD_CAIF;
	dev->flags = IFF_NOARP | IFF_POINTOPOINT;
	dev->mtu = ETH_DATA_LEN;
	dev->tx_queue_len = 1;
}

struct net_device *caif_kunit_link_new(unsigned int tx_queue_len)
{
	struct net_device *dev = alloc_netdev(sizeof(struct modem), "kunitlink%d", NET_NAME_ENUM,
					      setup);
	struct modem *modem;
	int err;

	if (!dev)
		return NULL;
	modem = netdev_priv(dev);
	INIT_WORK(&modem->close, close_it);
	dev->tx_queue_len = tx_queue_len;
	if (!tx_queue_len)
		dev->priv_flags |= IFF_NO_QUEUE;
	if (register_netdev(dev)) {
		free_netdev(dev);
		return NULL;
	}
	rtnl_lock();
	err = dev_open(dev, NULL);
	rtnl_unlock();
	if (err) {
		caif_kunit_link_free(dev);
		return NULL;
	}
	return dev;
}

void caif_kunit_link_free(struct net_device *dev)
{
	struct modem *modem = netdev_priv(dev);

	unregister_netdev(dev);
	flush_work(&modem->close);
	kfree_skb(modem->withheld);
	free_netdev(dev);
}

/* Interfaces that were unregistered when none was registered any more. */
static unsigned int together;

static bool is_interface(const struct net_device *dev)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "caif");
}

static int on_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr), *other;

	if (event != NETDEV_UNREGISTER || !is_interface(dev))
		return NOTIFY_DONE;
	for_each_netdev(dev_net(dev), other)
		if (is_interface(other))
			return NOTIFY_DONE;
	together++;
	return NOTIFY_DONE;
}

void caif_kunit_link_type(struct net_device *dev, unsigned short type, bool quiet)
{
	rtnl_lock();
	if (!quiet)
		call_netdevice_notifiers(NETDEV_PRE_TYPE_CHANGE, dev);
	dev->type = type;
	if (!quiet)
		call_netdevice_notifiers(NETDEV_POST_TYPE_CHANGE, dev);
	rtnl_unlock();
}

int caif_kunit_link_end_together(struct net_device *dev)
{
	struct notifier_block nb = { .notifier_call = on_event };
	int count, err = register_netdevice_notifier(&nb);

	if (err)
		return err;
	together = 0;
	caif_kunit_link_type(dev, ARPHRD_ETHER, false);
	count = together;
	unregister_netdevice_notifier(&nb);
	return count;
}

void caif_kunit_link_silent(struct net_device *dev, bool silent)
{
	struct modem *modem = netdev_priv(dev);
	struct sk_buff *skb;

	WRITE_ONCE(modem->silent, silent);
	skb = silent ? NULL : xchg(&modem->withheld, NULL);
	if (skb)
		caif_kunit_deliver(dev, skb);
}

void caif_kunit_link_refuse(struct net_device *dev, bool refuse)
{
	struct modem *modem = netdev_priv(dev);

	WRITE_ONCE(modem->refuses, refuse);
}

void caif_kunit_link_single(struct net_device *dev)
{
	struct modem *modem = netdev_priv(dev);

	WRITE_ONCE(modem->single, true);
}

void caif_kunit_link_congested(struct net_device *dev, bool congested)
{
	struct modem *modem = netdev_priv(dev);

	WRITE_ONCE(modem->congested, congested);
}

void caif_kunit_link_lose(struct net_device *dev, bool losing, unsigned int spared)
{
	struct modem *modem = netdev_priv(dev);

	modem->spared = spared;
	WRITE_ONCE(modem->losing, losing);
}

void caif_kunit_link_exchange(struct net_device *dev, bool begin)
{
	struct netdev_queue *queue = netdev_get_tx_queue(dev, 0);
	typeof(*queue->qdisc) *own;

	rtnl_lock();
	own = rtnl_dereference(queue->qdisc_sleeping);
	rcu_assign_pointer(queue->qdisc, begin ? &noop_qdisc : own);
	rtnl_unlock();
	if (begin)
		synchronize_net();
}

void caif_kunit_link_last(const struct net_device *dev, void *to, unsigned int len)
{
	const struct modem *modem = netdev_priv(dev);

	memcpy(to, modem->last, min(len, CAIF_KUNIT_KEPT));
}

const void *caif_kunit_link_last_head(const struct net_device *dev)
{
	const struct modem *modem = netdev_priv(dev);

	return modem->last_head;
}

static int keep_rtnl(void *data)
{
	while (!kthread_should_stop()) {
		rtnl_lock();
		msleep(30);
		rtnl_unlock();
	}
	return 0;
}

int caif_kunit_keep_rtnl(bool on)
{
	static struct task_struct *task;

	if (!on)
		return kthread_stop(task);
	task = kthread_run(keep_rtnl, NULL, "caif-kunit-rtnl");
	return PTR_ERR_OR_ZERO(task);
}

void caif_kunit_link_flap(struct net_device *dev)
{
	rtnl_lock();
	netif_carrier_off(dev);
	netif_carrier_on(dev);
	rtnl_unlock();
}

int caif_kunit_link_mtu(struct net_device *dev, unsigned int mtu)
{
	int err;

	rtnl_lock();
	err = dev_set_mtu(dev, mtu);
	rtnl_unlock();
	return err;
}

void caif_kunit_link_set_headroom(struct net_device *dev, unsigned short room)
{
	dev->needed_headroom = room;
}

unsigned int caif_kunit_link_headroom(const struct net_device *dev)
{
	return LL_RESERVED_SPACE(dev);
}

int caif_kunit_link_up(struct net_device *dev, bool up)
{
	int err = 0;

	rtnl_lock();
	if (up)
		err = dev_open(dev, NULL);
	else
		dev_close(dev);
	rtnl_unlock();
	return err;
}

/* What a socket does before the change of its state is told, once: the device to restart, or the
 * modem that closes its socket.
 */
static struct net_device *restarted;
static struct modem *closer;
static void (*state_change)(struct sock *sk);

static void close_another(struct sock *sk)
{
	struct modem *modem = xchg(&closer, NULL);

	if (modem)
		close_beside(modem);
	state_change(sk);
}

void caif_kunit_link_close_with(struct net_device *dev, struct socket *closes, struct socket *sock)
{
	struct modem *modem = netdev_priv(dev);

	modem->closes = closes;
	closer = modem;
	state_change = sock->sk->sk_state_change;
	sock->sk->sk_state_change = close_another;
}

static void restart(struct sock *sk)
{
	struct net_device *dev = xchg(&restarted, NULL);

	if (dev)
		caif_kunit_link_stop(dev, false);
	state_change(sk);
}

void caif_kunit_link_restart_with(struct net_device *dev, struct socket *sock)
{
	restarted = dev;
	state_change = sock->sk->sk_state_change;
	sock->sk->sk_state_change = restart;
}

void caif_kunit_link_stop(struct net_device *dev, bool stop)
{
	struct modem *modem = netdev_priv(dev);

	WRITE_ONCE(modem->full, stop);
	if (!stop)
		netif_wake_queue(dev);
}

int caif_kunit_link_count(const struct net_device *dev, unsigned int what)
{
	const struct modem *modem = netdev_priv(dev);

	return atomic_read(&modem->counts[what]);
}

void caif_kunit_link_restart_modem(struct net_device *dev)
{
	struct modem *modem = netdev_priv(dev);

	bitmap_zero(modem->open, U8_MAX + 1);
	atomic_set(&modem->last_id, 0);
}

bool caif_kunit_link_has(const struct net_device *dev, u8 id)
{
	const struct modem *modem = netdev_priv(dev);

	return test_bit(id, modem->open);
}

bool caif_kunit_link_wait(struct net_device *dev, unsigned int what, int count, unsigned int ms)
{
	struct modem *modem = netdev_priv(dev);

	wait_var_event_timeout(&modem->counts, caif_kunit_link_count(dev, what) >= count,
			       msecs_to_jiffies(ms));
	return caif_kunit_link_count(dev, what) == count;
}

static bool is_busy(struct net_device *dev)
{
	const struct Qdisc *qdisc;
	bool busy;

	rcu_read_lock();
	qdisc = rcu_dereference(netdev_get_tx_queue(dev, 0)->qdisc);
	busy = qdisc_qlen_sum(qdisc) || qdisc_is_running((struct Qdisc *)qdisc);
	rcu_read_unlock();
	return busy;
}

bool caif_kunit_link_drains(struct net_device *dev, unsigned int ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);

	while (is_busy(dev)) {
		if (time_after(jiffies, end))
			return false;
		fsleep(1000);
	}
	return true;
}

static int storm(void *data)
{
	struct net_device *dev = data;
	struct sk_buff *skb;

	while (!kthread_should_stop()) {
		for (unsigned int id = 1; id < 256; id++) {
			skb = alloc_skb(FRONT + 4 + BACK, GFP_KERNEL);
			if (!skb)
				continue;
			caif_kunit_put_front(skb, id, 4);
			skb_put_zero(skb, 4 + BACK);
			caif_kunit_receive(dev, skb);
		}
		cond_resched();
	}
	return 0;
}

int caif_kunit_link_storm(struct net_device *dev, bool on)
{
	struct modem *modem = netdev_priv(dev);

	if (on) {
		modem->storm = kthread_run(storm, dev, "caif-kunit-storm");
		return PTR_ERR_OR_ZERO(modem->storm);
	}
	return kthread_stop(modem->storm);
}

int caif_kunit_link_index(const struct net_device *dev)
{
	return dev->ifindex;
}

int caif_kunit_caif_connect(struct socket *sock, int index, bool nonblock)
{
	/* struct sockaddr_caif: the type is that of plain AT commands. */
	struct sockaddr_storage address = { .ss_family = AF_CAIF };
	int err = sock_bindtoindex(sock->sk, index, true);

	((u8 *)&address)[4] = 2;
	return err ?: kernel_connect(sock, (struct sockaddr_unsized *)&address, 24,
				     nonblock ? O_NONBLOCK : 0);
}
