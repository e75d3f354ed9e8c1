// SPDX-License-Identifier: GPL-2.0

//! The memory that Linux and the modem share: reserved regions of the device tree.
//!
//! The modem's addresses of them are given by `dma-ranges`, and must be those that the modem's
//! firmware was made for.

use crate::{
    abstractions::{
        memory::{
            Memory,
            Physical, //
        },
        platform::{
            device_address,
            Reserved, //
        },
        remoteproc::{
            Carveout,
            DeviceRange, //
        }, //
    },
    contract::{
        control::ControlPage,
        map::{
            BUFFER,
            DA_BASE,
            HEAP,
            RSC_TABLE,
            SEGMENTS,
            VRING0,
            VRING1, //
        }, //
    }, //
};
use kernel::{
    device::{
        Bound,
        Device, //
    },
    prelude::*,
    sync::Arc, //
};

/// The control page's region, offset and length: a page, however large the kernel's pages are.
const CONTROL: (usize, usize) = (0, 0x1_0000);

/// The shared memory, mapped.
pub(crate) struct Shared {
    /// The page where Linux and the modem publish their states.
    pub(crate) control: ControlPage,
    /// The memory for the resource table.
    pub(crate) table: Arc<Memory>,
    /// The carveouts for remoteproc.
    pub(crate) carveouts: KVec<Carveout>,
}

/// Claims and maps all regions.
pub(crate) fn map(dev: &Device<Bound>) -> Result<Shared> {
    let (control, _) = claim(dev, c"control", CONTROL)?;
    let control = ControlPage::new(Arc::new(control.map()?, GFP_KERNEL)?);
    let mut carveouts = KVec::with_capacity(6, GFP_KERNEL)?;
    let mut mapped = |name, part| -> Result<Arc<Memory>> {
        let (region, range) = claim(dev, name, part)?;
        let memory = Arc::new(region.map()?, GFP_KERNEL)?;
        let carveout = Carveout::mapped(name, memory.clone(), 0, range)?;
        carveouts.push(carveout, GFP_KERNEL)?;
        Ok(memory)
    };
    mapped(c"firmware", SEGMENTS)?;
    let table = mapped(c"rsc-table", RSC_TABLE)?;
    mapped(c"vdev0vring0", VRING0)?;
    mapped(c"vdev0vring1", VRING1)?;
    mapped(c"heap", (HEAP, 0))?;
    // The DMA layer maps the pool itself, with attributes of its own.
    let (pool, range) = claim(dev, c"vdev0buffer", BUFFER)?;
    let pool = Carveout::unmapped(c"vdev0buffer", pool, range.da)?;
    carveouts.push(pool, GFP_KERNEL)?;
    Ok(Shared {
        control,
        table,
        carveouts,
    })
}

/// Claims the region of that name, and checks that it is where the modem expects it: at an offset,
/// and with a length unless that is 0.
fn claim(
    dev: &Device<Bound>,
    name: &'static CStr,
    (offset, len): (usize, usize),
) -> Result<(Physical, DeviceRange)> {
    let region = Reserved::claim(dev, name)
        .inspect_err(|e| dev_err!(dev, "reserved memory {name} cannot be claimed ({e:?})\n"))?;
    let da = device_address(dev, &region).inspect_err(|_| {
        dev_err!(dev, "reserved memory {name} is out of the modem's reach\n");
    })?;
    let want = DA_BASE + offset as u32;
    if da != want || (len != 0 && region.len() != len) {
        dev_err!(
            dev,
            "reserved memory {name} has {:#x} bytes at {da:#x}, want {len:#x} at {want:#x}\n",
            region.len()
        );
        return Err(EINVAL);
    }
    let len = region.len();
    Ok((region, DeviceRange { da, len }))
}
