/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions that are static inlines or macros in the kernel's headers, for
 * callers in Rust. Each does what the function of its name does; a transmit
 * queue is always the device's first.
 */
#ifndef CAIF_HELPERS_H
#define CAIF_HELPERS_H

#include <linux/netdevice.h>
#include <linux/virtio_config.h>

/* Where a device has its private data, see netdev_priv(). */
enum { CAIF_HELPER_NETDEV_PRIV = offsetof(struct net_device, priv) };

void caif_helper_netif_napi_add(struct net_device *dev, struct napi_struct *napi,
				int (*poll)(struct napi_struct *napi, int budget));
void caif_helper_napi_schedule(struct napi_struct *napi);

void caif_helper_netif_tx_lock(struct net_device *dev);
void caif_helper_netif_tx_unlock(struct net_device *dev);
void caif_helper_netif_stop_queue(struct net_device *dev);
void caif_helper_netif_wake_queue(struct net_device *dev);
bool caif_helper_netif_running(const struct net_device *dev);
bool caif_helper_netif_queue_stopped(const struct net_device *dev);
bool caif_helper_netif_xmit_stopped(const struct net_device *dev);
void caif_helper_netdev_completed_queue(struct net_device *dev, unsigned int pkts,
					unsigned int bytes);
void caif_helper_netdev_reset_queue(struct net_device *dev);
bool caif_helper_netdev_xmit_more(void);
void caif_helper_txq_trans_cond_update(struct net_device *dev);

/* What is to be done after a packet was handed over. */
#define CAIF_HELPER_TX_TELL	1	/* The hardware must be told now. */
#define CAIF_HELPER_TX_HALTED	2	/* The queue is stopped, by whomever. */

unsigned int caif_helper_tx_sent(struct net_device *dev, struct sk_buff *skb, bool more);

void caif_helper_dev_consume_skb_any(struct sk_buff *skb);
void caif_helper_dev_kfree_skb_any(struct sk_buff *skb);

/*
 * Both copy a packet of the protocol ETH_P_CAIF, count it and hand it to the
 * stack. They return whether there was memory for it.
 */
bool caif_helper_receive(struct napi_struct *napi, const void *from, unsigned int len);
bool caif_helper_receive_io(struct napi_struct *napi, const void *from, unsigned int len);

int caif_helper_virtio_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
				struct virtqueue *vqs[], struct virtqueue_info infos[]);
void caif_helper_virtio_del_vqs(struct virtio_device *vdev);
void caif_helper_virtio_set_status(struct virtio_device *vdev, u8 status);
void caif_helper_virtio_clear_bit(struct virtio_device *vdev, unsigned int bit);
bool caif_helper_virtio_has_feature(const struct virtio_device *vdev, unsigned int bit);

/* Tells the remote processor to look at a vring, as its platform's driver does it. */
void caif_helper_kick(struct virtqueue *vq);
void caif_helper_trace_drop(const struct net_device *dev, const char *why, u64 da, u32 len);
void caif_helper_trace_fault(const struct net_device *dev, const char *why);

void caif_helper_init_work(struct work_struct *work, void (*func)(struct work_struct *work));
void caif_helper_schedule_work(struct work_struct *work);

#endif
