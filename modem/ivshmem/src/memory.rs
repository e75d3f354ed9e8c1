// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The memory that the peers share.
//!
//! It is addressed by the modem's device addresses, which begin at [`DA_BASE`]. All accesses are by
//! value and atomic or volatile, since the other side can write to the memory at any time.

use crate::Error;
use kernel_pure::ivshmem::map;
use rustix::fd::{AsFd, OwnedFd};
use std::{fs::File, path::Path, sync::atomic::Ordering};
use vm_memory::{
    AtomicAccess, Bytes, FileOffset, GuestAddress, GuestMemoryMmap, MmapRegion,
    mmap::GuestRegionMmap,
};

/// Device address of the first byte.
pub const DA_BASE: u64 = map::DA_BASE as u64;
/// Smallest memory of the modem's board.
pub const MIN_SIZE: u64 = map::MIN_SIZE as u64;
/// Largest memory, since device addresses have 32 bits.
pub const MAX_SIZE: u64 = map::MAX_SIZE as u64;

/// Creates memory of `size` bytes, all zero.
pub fn create(size: u64) -> Result<OwnedFd, Error> {
    check_size(size)?;
    let fd = rustix::fs::memfd_create("ivshmem", rustix::fs::MemfdFlags::CLOEXEC)
        .map_err(Error::system("create the shared memory"))?;
    rustix::fs::ftruncate(&fd, size).map_err(Error::system("size the shared memory"))?;
    Ok(fd)
}

/// The same in a file, which must not be there yet.
pub fn create_at(path: &Path, size: u64) -> Result<OwnedFd, Error> {
    check_size(size)?;
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .map_err(Error::system("create the memory's file"))?;
    file.set_len(size)
        .map_err(Error::system("size the memory's file"))?;
    Ok(file.into())
}

fn check_size(size: u64) -> Result<(), Error> {
    if size.is_power_of_two() && (MIN_SIZE..=MAX_SIZE).contains(&size) {
        Ok(())
    } else {
        Err(Error::Memory(format!(
            "{size} bytes, must be a power of two from {MIN_SIZE} to {MAX_SIZE}"
        )))
    }
}

/// The memory, mapped.
#[derive(Clone)]
pub struct SharedMemory {
    guest: GuestMemoryMmap,
    size: u64,
}

impl SharedMemory {
    /// Maps the memory behind a file descriptor.
    pub fn map(fd: impl AsFd) -> Result<Self, Error> {
        let fd = fd
            .as_fd()
            .try_clone_to_owned()
            .map_err(Error::system("duplicate the memory's descriptor"))?;
        let stat = rustix::fs::fstat(&fd).map_err(Error::system("examine the shared memory"))?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        check_size(size)?;
        let wrong = |error: &dyn std::fmt::Display| Error::Memory(error.to_string());
        let length = usize::try_from(size).map_err(|error| wrong(&error))?;
        let region = MmapRegion::from_file(FileOffset::new(File::from(fd), 0), length)
            .map_err(|error| wrong(&error))?;
        let region = GuestRegionMmap::new(region, GuestAddress(DA_BASE))
            .ok_or_else(|| Error::Memory("no place for it below 2^64".into()))?;
        let guest = GuestMemoryMmap::from_regions(vec![region]).map_err(|error| wrong(&error))?;
        Ok(Self { guest, size })
    }

    /// Returns the size of the memory, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the memory as a type of rust-vmm's crates, at device addresses.
    pub fn guest(&self) -> &GuestMemoryMmap {
        &self.guest
    }

    /// Loads a value from an aligned device address.
    pub fn load<T: AtomicAccess>(&self, da: u64) -> Result<T, Error> {
        self.guest
            .load(GuestAddress(da), Ordering::Acquire)
            .map_err(|error| Error::Memory(format!("load at {da:#x}: {error}")))
    }

    /// Stores a value to an aligned device address.
    pub fn store<T: AtomicAccess>(&self, da: u64, value: T) -> Result<(), Error> {
        self.guest
            .store(value, GuestAddress(da), Ordering::Release)
            .map_err(|error| Error::Memory(format!("store at {da:#x}: {error}")))
    }

    /// Copies bytes out of the memory.
    pub fn read(&self, da: u64, bytes: &mut [u8]) -> Result<(), Error> {
        self.guest
            .read_slice(bytes, GuestAddress(da))
            .map_err(|error| Error::Memory(format!("read at {da:#x}: {error}")))
    }

    /// Copies bytes to the memory.
    pub fn write(&self, da: u64, bytes: &[u8]) -> Result<(), Error> {
        self.guest
            .write_slice(bytes, GuestAddress(da))
            .map_err(|error| Error::Memory(format!("write at {da:#x}: {error}")))
    }

    /// Returns whether `len` bytes from `da` on are inside the memory.
    pub fn contains(&self, da: u64, len: u64) -> bool {
        da.checked_sub(DA_BASE)
            .and_then(|start| start.checked_add(len))
            .is_some_and(|end| end <= self.size)
    }
}
