// SPDX-License-Identifier: GPL-2.0

#include <linux/spinlock.h>

#include <asm/barrier.h>

#include "linux_7_2.h"

void compat_mb(void)
{
	/* For linux_7_2.rs, whose callers say what it orders. */
	mb();
}

void compat_dma_mb(void)
{
	/* For linux_7_2.rs, whose callers say what it orders. */
	dma_mb();
}

void compat_dma_rmb(void)
{
	/* For linux_7_2.rs, whose callers say what it orders. */
	dma_rmb();
}

void compat_dma_wmb(void)
{
	/* For linux_7_2.rs, whose callers say what it orders. */
	dma_wmb();
}

unsigned long compat_spin_lock_irqsave(spinlock_t *lock)
{
	unsigned long flags;

	spin_lock_irqsave(lock, flags);
	return flags;
}

bool compat_spin_trylock_irqsave(spinlock_t *lock, unsigned long *flags)
{
	return spin_trylock_irqsave(lock, *flags);
}

void compat_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags)
{
	spin_unlock_irqrestore(lock, flags);
}
