/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Included before the original driver, which needs the pages of the memory that the DMA API gives
 * it. Only memory in the linear map has pages; memory declared for a device is mapped elsewhere.
 */
#include <linux/dma-mapping.h>

/* The allocation for the DMA API. That driver has one at a time. */
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
