/* SPDX-License-Identifier: GPL-2.0 */
/* Functions that are static inlines in the kernel's headers, for drivers of platform devices. */
#ifndef ABSTRACTIONS_PLATFORM_HELPERS_H
#define ABSTRACTIONS_PLATFORM_HELPERS_H

#include <linux/device.h>
#include <linux/types.h>

dma_addr_t helper_phys_to_dma(struct device *dev, phys_addr_t paddr);

#endif
