// SPDX-License-Identifier: GPL-2.0

#include <linux/kconfig.h>

/* The abstractions' C functions for sockets and what else the tests share with the stack. A
 * kernel with stack and tests built in has those of the stack; in all other cases the tests need
 * their own.
 */
#if !IS_BUILTIN(CONFIG_CAIF) || defined(MODULE)
#include "../../abstractions/net/gro_cell.c"
#include "../../abstractions/net/helpers.c"
#include "../../abstractions/net/socket/helpers.c"
#endif
