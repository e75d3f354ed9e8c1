/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network devices of the type of CAIF links, for tests of the stack, which must be loaded. Behind
 * each is a modem that assigns channels one after the other.
 */
#ifndef CAIF_KUNIT_LINKS_H
#define CAIF_KUNIT_LINKS_H

#include <linux/net.h>
#include <linux/netdevice.h>

enum {
	CAIF_KUNIT_SETUPS,
	CAIF_KUNIT_DESTROYS,
	CAIF_KUNIT_FRAMES,
	/* Packets for a queue that the device does not have. */
	CAIF_KUNIT_STRAYS,
	/* Frames and LINK_DESTROY messages of channels that the modem has not. */
	CAIF_KUNIT_LATES,
	/* Frames that the device has dropped. */
	CAIF_KUNIT_LOST,
	/* Of the frames, those of one byte that stop and start the modem. */
	CAIF_KUNIT_FLOW_OFFS,
	CAIF_KUNIT_FLOW_ONS,
	CAIF_KUNIT_COUNTS,
};

/* Bytes of the last frame that are kept. */
#define CAIF_KUNIT_KEPT 64U

/* Makes a device that is up, with a queue of @tx_queue_len packets. Returns NULL on failure. */
struct net_device *caif_kunit_link_new(unsigned int tx_queue_len);
void caif_kunit_link_free(struct net_device *dev);
/* How many, since the last call, were still links of the stack when they were unregistered. */
int caif_kunit_links_left(void);
/* Sets its hardware type, as bonding and tun do, or @quiet. */
void caif_kunit_link_type(struct net_device *dev, unsigned short type, bool quiet);
/*
 * Lets it be a link no longer. Returns how many interfaces of the stack were unregistered when none
 * was registered any more.
 */
int caif_kunit_link_end_together(struct net_device *dev);
/* Makes the modem hold its answers back; it sends the last one when this is switched off. */
void caif_kunit_link_silent(struct net_device *dev, bool silent);
/* Makes the modem refuse what it is asked for. */
void caif_kunit_link_refuse(struct net_device *dev, bool refuse);
/* Makes the modem refuse a second channel while it has one. */
void caif_kunit_link_single(struct net_device *dev);
/* Makes a device without a queue say that it is congested, though it takes all packets. */
void caif_kunit_link_congested(struct net_device *dev, bool congested);
/* Makes a device without a queue drop packets, after @spared frames of channels, and say so. */
void caif_kunit_link_lose(struct net_device *dev, bool losing, unsigned int spared);
/* Begins or ends an exchange of its queueing discipline, during which it drops what is sent. */
void caif_kunit_link_exchange(struct net_device *dev, bool begin);
/* Copies the beginning of the last frame of a channel, which has zeroes behind its end. */
void caif_kunit_link_last(const struct net_device *dev, void *to, unsigned int len);
/* The memory that it was in, which is free by now. */
const void *caif_kunit_link_last_head(const struct net_device *dev);
/* Keeps RTNL busy: it is free for moments only. */
int caif_kunit_keep_rtnl(bool on);
/* Loses the carrier, and has it again before anybody is told. */
void caif_kunit_link_flap(struct net_device *dev);
int caif_kunit_link_mtu(struct net_device *dev, unsigned int mtu);
/* Sets how much room the device wants in front of packets. */
void caif_kunit_link_set_headroom(struct net_device *dev, unsigned short room);
/* How much room others leave for it there. */
unsigned int caif_kunit_link_headroom(const struct net_device *dev);
/* Sets the device up or down. */
int caif_kunit_link_up(struct net_device *dev, bool up);
/* Closes @closes in another task once the state of @sock changes. */
void caif_kunit_link_close_with(struct net_device *dev, struct socket *closes, struct socket *sock);
/* Makes a device that takes none take packets again once the state of a socket changes. */
void caif_kunit_link_restart_with(struct net_device *dev, struct socket *sock);
/*
 * Makes the modem send a frame on a channel. Only the first bytes of its body can be read, as if
 * there was no memory to have all of them in one piece.
 */
int caif_kunit_link_deliver(struct net_device *dev, u8 id, const void *body, unsigned int len,
			    unsigned int readable);
/*
 * The same with a body whose checksum, of all that follows @start, is still to be put there,
 * @offset behind; and with a body in pages that somebody waits for.
 */
int caif_kunit_link_deliver_partial(struct net_device *dev, u8 id, const void *body,
				    unsigned int len, unsigned int start, unsigned int offset);
int caif_kunit_link_deliver_user(struct net_device *dev, u8 id, const void *body,
				 unsigned int len);
/* How many of those pages were given back, since the last call. */
int caif_kunit_pages_back(void);
/*
 * Makes the modem send a frame in a packet to which somebody else has a reference, or of which
 * somebody has a clone; then the checksum of all but the first byte is still to be put behind that.
 * Tells whether the packet that is held was changed.
 */
int caif_kunit_link_deliver_held(struct net_device *dev, u8 id, const void *body, unsigned int len,
				 bool as_clone, bool *is_changed);
/*
 * Makes what the device receives belong to another device, as bonding does with a port of a bond;
 * or no longer, for NULL.
 */
int caif_kunit_link_port(struct net_device *dev, struct net_device *master);
/* Makes the device take one more packet, and then none. */
void caif_kunit_link_stop(struct net_device *dev, bool stop);
/* Waits until it has received that many messages of a kind, at most for @ms milliseconds. */
bool caif_kunit_link_wait(struct net_device *dev, unsigned int what, int count, unsigned int ms);
int caif_kunit_link_count(const struct net_device *dev, unsigned int what);
/* The modem forgets its channels, and assigns the first ids again. */
void caif_kunit_link_restart_modem(struct net_device *dev);
/* Whether the modem has a channel of this id. */
bool caif_kunit_link_has(const struct net_device *dev, u8 id);
/* Waits until the device has all that was sent, at most for @ms milliseconds. */
bool caif_kunit_link_drains(struct net_device *dev, unsigned int ms);
/* Makes the modem send frames on all channels without end. */
int caif_kunit_link_storm(struct net_device *dev, bool on);
int caif_kunit_link_index(const struct net_device *dev);

/* Connects a socket to the AT commands of the modem behind a device. */
int caif_kunit_caif_connect(struct socket *sock, int index, bool nonblock);

#endif
