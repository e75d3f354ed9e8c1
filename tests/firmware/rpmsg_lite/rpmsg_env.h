/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of rpmsg-lite's header that the example uses. */
#ifndef STUB_RPMSG_ENV_H
#define STUB_RPMSG_ENV_H

#include <stdint.h>

uint32_t env_map_vatopa(void *address);

#endif
