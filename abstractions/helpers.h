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

void caif_helper_dev_consume_skb_any(struct sk_buff *skb);
void caif_helper_dev_kfree_skb_any(struct sk_buff *skb);

int caif_helper_virtio_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
				struct virtqueue *vqs[], struct virtqueue_info infos[]);
void caif_helper_virtio_del_vqs(struct virtio_device *vdev);
void caif_helper_virtio_set_status(struct virtio_device *vdev, u8 status);
void caif_helper_virtio_clear_bit(struct virtio_device *vdev, unsigned int bit);
bool caif_helper_virtio_has_feature(const struct virtio_device *vdev, unsigned int bit);

void caif_helper_init_work(struct work_struct *work, void (*func)(struct work_struct *work));
void caif_helper_schedule_work(struct work_struct *work);

#endif
