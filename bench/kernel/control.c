// SPDX-License-Identifier: GPL-2.0
/* The modem's side of the control channel: it grants each request for a channel. */
#include <linux/unaligned.h>

#include "modem.h"

/* A frame: length and link id, the body, the check sequence. */
#define FRONT 3
#define BACK 2
#define LINK_SETUP 0
#define RESPONSE 0x20
#define LONGEST 64

struct request {
	const u8 *body;
	unsigned int len;
	u8 link_id;
};

static void write_answer(void *frame, unsigned int len, void *data)
{
	const struct request *request = data;
	u8 *at = frame;

	put_unaligned_le16(len - 2, at);
	at[2] = 0;
	memcpy(at + FRONT, request->body, request->len);
	at[FRONT] |= RESPONSE;
	at[FRONT + request->len] = request->link_id;
	memset(at + len - BACK, 0, BACK);
}

/* Answers a frame, if it is such a request. */
static bool answer(struct bench_modem *modem, const u8 *frame)
{
	unsigned int counted = get_unaligned_le16(frame);
	struct request request = {
		.body = frame + FRONT,
		.len = counted - FRONT,
	};

	if (frame[2] != 0 || counted <= FRONT || counted > LONGEST || request.body[0] != LINK_SETUP)
		return false;
	request.link_id = ++modem->link_id;
	bench_modem_put(modem, FRONT + request.len + 1 + BACK, write_answer, &request);
	return true;
}

static void work(struct work_struct *work)
{
	struct bench_modem *modem = container_of(work, struct bench_modem, answer);
	struct vring *vring = &modem->tx.vring;
	u16 mask = modem->num - 1;
	bool answered = false;
	unsigned int count;

	for (u16 at = modem->tx.seen; at != smp_load_acquire(&vring->avail->idx); at++) {
		const struct vring_desc *desc = &vring->desc[vring->avail->ring[at & mask]];

		answered = answer(modem, phys_to_virt(desc->addr) + BENCH_ROOM) || answered;
	}
	count = bench_modem_return(modem);
	local_bh_disable();
	if (count && bench_modem_wants_tx(modem, count))
		bench_modem_interrupt_tx(modem);
	if (answered)
		bench_modem_interrupt_rx(modem);
	local_bh_enable();
}

void bench_control_init(struct bench_modem *modem)
{
	INIT_WORK(&modem->answer, work);
}

void bench_control_answer(struct bench_modem *modem, bool answers)
{
	WRITE_ONCE(modem->answers, answers);
	cancel_work_sync(&modem->answer);
	if (answers)
		schedule_work(&modem->answer);
}

void bench_control_kick(struct bench_modem *modem)
{
	if (READ_ONCE(modem->answers))
		schedule_work(&modem->answer);
}
