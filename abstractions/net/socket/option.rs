// SPDX-License-Identifier: GPL-2.0

//! The values of socket options.
//!
//! C header: [`include/linux/sockptr.h`](srctree/include/linux/sockptr.h)

use crate::abstractions::bindings;
use kernel::{
    error::to_result,
    iov::IovIterDest,
    prelude::*, //
};

/// The value to which an option is set.
pub(crate) struct OptionSource {
    value: bindings::sockptr_t,
    len: usize,
}

impl OptionSource {
    /// Describes a value.
    ///
    /// # Safety
    ///
    /// If `value` is a pointer of the kernel, it must be valid for reads of `len` bytes as long as
    /// the value exists.
    pub(super) unsafe fn new(value: bindings::sockptr_t, len: usize) -> Self {
        Self { value, len }
    }

    /// Returns the number of bytes of the value.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies the first `out.len()` bytes of the value. Fails with `EINVAL` if it has fewer, and
    /// with `EFAULT` if they cannot be read.
    pub(crate) fn read(&self, out: &mut [u8]) -> Result {
        if out.len() > self.len {
            return Err(EINVAL);
        }
        // SAFETY: The value has as many bytes, or is a pointer of user space; `out` is ours.
        let error = unsafe {
            bindings::helper_copy_from_sockptr(out.as_mut_ptr().cast(), self.value, out.len())
        };
        to_result(error).map_err(|_| EFAULT)
    }
}

/// The destination of the value of an option.
pub(crate) struct OptionSink<'a> {
    iter: &'a mut IovIterDest<'a>,
    len: &'a mut c_int,
}

impl<'a> OptionSink<'a> {
    /// Describes the destination of a value.
    ///
    /// # Safety
    ///
    /// `opt` must be that of a call of `getsockopt_iter`, for all of `'a`.
    pub(super) unsafe fn new(opt: *mut bindings::sockopt) -> Self {
        // SAFETY: By the safety requirements, the option is valid; only the address of a part is
        // taken.
        let iter = unsafe { &raw mut (*opt).iter_out };
        // SAFETY: By the safety requirements, the option is valid; only the address of a part is
        // taken.
        let len = unsafe { &raw mut (*opt).optlen };
        Self {
            // SAFETY: The iterator is one that is written to, and nothing else uses it.
            iter: unsafe { IovIterDest::from_raw(iter) },
            // SAFETY: By the safety requirements, nothing else uses it.
            len: unsafe { &mut *len },
        }
    }

    /// Copies as much of the value as fits, and sets the length to that.
    pub(crate) fn write(&mut self, value: &[u8]) -> Result {
        let room = self.iter.len();
        let value = value.get(..room).unwrap_or(value);
        if self.iter.copy_to_iter(value) != value.len() {
            return Err(EFAULT);
        }
        *self.len = c_int::try_from(value.len())?;
        Ok(())
    }
}
