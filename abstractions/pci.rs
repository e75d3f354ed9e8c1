// SPDX-License-Identifier: GPL-2.0

//! PCI abstractions that the kernel crate lacks.
//!
//! C header: [`include/linux/pci.h`](srctree/include/linux/pci.h)

mod msix;
mod region;

pub(crate) use self::{
    msix::handle_msix,
    region::Region, //
};
