// SPDX-License-Identifier: GPL-2.0

//! Suite: the bounds of memory that is shared, and the release of processors.

use crate::{
    abstractions::{
        memory::{
            Claim,
            Memory, //
        },
        remoteproc::{
            Carveout,
            DeviceRange, //
        }, //
    },
    fake::{
        Fake,
        FakeOptions, //
    },
    unsafe_memory, //
};
use kernel::{
    device,
    prelude::*,
    str::CString,
    sync::Arc, //
};

/// A claim of nothing.
struct Nothing;

impl Claim for Nothing {}

/// Returns a range of device addresses.
fn range(da: u32, len: usize) -> DeviceRange {
    DeviceRange { da, len }
}

#[kernel::macros::kunit_tests(caif_virtio_memory)]
mod tests {
    use super::*;

    #[test]
    fn carveouts_that_cannot_be() -> Result {
        let memory = Arc::new(Memory::alloc(4096)?, GFP_KERNEL)?;
        let size = memory.len();
        let error = |name: &'static CStr, offset: usize, da: u32| {
            Carveout::mapped(name, memory.clone(), offset, range(da, size)).err()
        };
        check_eq!(error(c"all", 0, 0x1000), None, "all of the memory");
        let beyond = Some(ERANGE);
        check_eq!(error(c"behind", 1, 0x1000), beyond, "a byte behind it");
        check_eq!(error(c"far", usize::MAX, 0x1000), beyond, "far behind it");

        let last = u32::MAX - (size - 1) as u32;
        check_eq!(error(c"last", 0, last), None, "the last addresses");
        check_eq!(
            error(c"wide", 0, last + 1),
            Some(EINVAL),
            "33 bits of address"
        );

        // With the NUL, 32 bytes and one more.
        let name = c"0123456789abcdef0123456789abcde";
        check_eq!(error(name, 0, 0), None, "the longest name");
        let name = c"0123456789abcdef0123456789abcdef";
        check_eq!(error(name, 0, 0), Some(EINVAL), "a longer name");
        Ok(())
    }

    #[test]
    fn carveouts_that_overlap() -> Result {
        let error = Fake::new(&FakeOptions {
            overlap: true,
            ..FakeOptions::default()
        });
        check_eq!(error.err(), Some(EINVAL), "the error");
        Ok(())
    }

    #[test]
    fn ranges_in_ranges() -> Result {
        let all = range(0x1000, 16);
        check!(all.contains(&all), "it does not contain itself");
        check!(all.contains(&range(0x100f, 1)), "the last byte is outside");
        check!(
            !all.contains(&range(0x100f, 2)),
            "a byte behind it is inside"
        );
        check!(
            !all.contains(&range(0xfff, 2)),
            "a byte in front of it is inside"
        );
        Ok(())
    }

    #[test]
    fn parts_of_physical_memory() -> Result {
        let all = unsafe_memory::nowhere(Arc::new(Nothing, GFP_KERNEL)?)?;
        let error = |offset: usize, len: usize| all.part(offset, len).err();
        let len = all.len();
        check_eq!(error(64, len - 64), None, "up to the end");
        check_eq!(error(64, len - 63), Some(ERANGE), "a byte behind it");
        check_eq!(error(usize::MAX, 2), Some(ERANGE), "far behind it");
        Ok(())
    }

    #[test]
    fn values_in_memory() -> Result {
        let memory = Memory::alloc(4096)?;
        let size = memory.len();
        memory.write::<u32>(size - 4, 7)?;
        check_eq!(memory.read::<u32>(size - 4), Ok(7), "the last word");
        check_eq!(memory.read::<u8>(size), Err(ERANGE), "a byte behind it");
        check_eq!(
            memory.read::<u32>(usize::MAX - 1),
            Err(ERANGE),
            "far behind it"
        );
        check_eq!(memory.read::<u32>(2), Err(EINVAL), "a word across two");
        Ok(())
    }

    /// Each has the number of the one before, so that must have been released.
    #[test]
    fn processors_that_are_released() -> Result {
        let name = || -> Result<CString> {
            let fake = Fake::new(&FakeOptions::default())?;
            let processor: &device::Device = (**fake.rproc()).as_ref();
            Ok(CString::try_from(processor.name())?)
        };
        let first = name()?;
        let second = name()?;
        check!(
            first.to_bytes() == second.to_bytes(),
            "the second has another number"
        );
        Ok(())
    }
}
