/* SPDX-License-Identifier: GPL-2.0 */
/* Functions for linux_7_2.rs: macros in the kernel's headers. */
#ifndef ABSTRACTIONS_COMPAT_LINUX_7_2_H
#define ABSTRACTIONS_COMPAT_LINUX_7_2_H

#include <linux/spinlock.h>

void compat_mb(void);
void compat_dma_mb(void);
void compat_dma_rmb(void);
void compat_dma_wmb(void);

unsigned long compat_spin_lock_irqsave(spinlock_t *lock);
bool compat_spin_trylock_irqsave(spinlock_t *lock, unsigned long *flags);
void compat_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);

#endif
