// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Cursors over byte slices. Running past the end is an error, never a panic.

use core::fmt;

/// The input ended inside a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncated {
    /// The field that was being read.
    pub field: &'static str,
    /// Number of bytes of the field.
    pub wanted: usize,
    /// Number of bytes that were left.
    pub left: usize,
}

impl fmt::Display for Truncated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            wanted,
            left,
        } = self;
        write!(f, "{field} takes {wanted} bytes, {left} are left")
    }
}

impl core::error::Error for Truncated {}

/// The output buffer is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// Number of bytes to be written.
    pub wanted: usize,
    /// Number of bytes that were left in the buffer.
    pub left: usize,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, left } = self;
        write!(f, "the next {wanted} bytes do not fit, {left} are left")
    }
}

impl core::error::Error for Full {}

/// Reads fields from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Creates a reader at the first byte of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Returns the bytes that have not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads `n` bytes.
    pub fn take(&mut self, field: &'static str, n: usize) -> Result<&'a [u8], Truncated> {
        match self.rest.split_at_checked(n) {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(head)
            }
            None => Err(Truncated {
                field,
                wanted: n,
                left: self.rest.len(),
            }),
        }
    }

    /// Reads an array of `N` bytes.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Truncated> {
        match self.rest.split_first_chunk::<N>() {
            Some((head, rest)) => {
                self.rest = rest;
                Ok(*head)
            }
            None => Err(Truncated {
                field,
                wanted: N,
                left: self.rest.len(),
            }),
        }
    }

    /// Reads one byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, Truncated> {
        self.array::<1>(field).map(|[b]| b)
    }

    /// Reads a little-endian u16.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, Truncated> {
        self.array(field).map(u16::from_le_bytes)
    }

    /// Reads a little-endian u32.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, Truncated> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Reads all that is left.
    pub fn all(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }
}

/// Writes fields one after the other into a slice.
#[derive(Debug)]
pub struct Writer<'a> {
    rest: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    /// Creates a writer at the first byte of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self {
            rest: out,
            written: 0,
        }
    }

    /// Returns the number of bytes written.
    pub fn written(&self) -> usize {
        self.written
    }

    /// Writes all of `bytes`, or nothing.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let left = self.rest.len();
        match core::mem::take(&mut self.rest).split_at_mut_checked(bytes.len()) {
            Some((head, rest)) => {
                head.copy_from_slice(bytes);
                self.rest = rest;
                self.written = self.written.saturating_add(bytes.len());
                Ok(())
            }
            // After an error nothing more is written, so no field is left out in the middle.
            None => Err(Full {
                wanted: bytes.len(),
                left,
            }),
        }
    }
}
