// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate's PCI abstractions lack.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

mod msix;
mod region;

pub(crate) use self::{
    msix::handle_msix,
    region::Region, //
};
