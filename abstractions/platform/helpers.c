// SPDX-License-Identifier: GPL-2.0

#include <linux/dma-direct.h>

#include "helpers.h"

dma_addr_t helper_phys_to_dma(struct device *dev, phys_addr_t paddr)
{
	return phys_to_dma(dev, paddr);
}
