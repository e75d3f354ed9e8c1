/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before the original driver, which looks for the pages of what the DMA API gives it. Only the
 * linear map has these; memory that was declared for a device is mapped elsewhere.
 */
#include <linux/dma-mapping.h>

/* What was allocated, as the DMA API knows it: that driver holds one piece at a time. */
static void *c_driver_memory;

static inline void *c_driver_alloc(struct device *dev, size_t size, dma_addr_t *dma, gfp_t gfp)
{
	c_driver_memory = dma_alloc_coherent(dev, size, dma, gfp);
	return c_driver_memory ? phys_to_virt(*dma) : NULL;
}

static inline void c_driver_free(struct device *dev, size_t size, void *memory, dma_addr_t dma)
{
	dma_free_coherent(dev, size, c_driver_memory, dma);
}

#define dma_alloc_coherent c_driver_alloc
#define dma_free_coherent c_driver_free
