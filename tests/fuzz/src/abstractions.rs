// SPDX-License-Identifier: GPL-2.0

//! What the board's readers of firmware use of the driver's abstractions, without a kernel.

pub mod remoteproc {
    //! A range of device addresses.

    /// A range of addresses as the remote processor sees them.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct DeviceRange {
        /// The first device address.
        pub da: u32,
        /// Number of bytes.
        pub len: usize,
    }

    impl DeviceRange {
        /// Whether all of `other` lies in this range.
        pub fn contains(&self, other: &Self) -> bool {
            let end = |range: &Self| u64::from(range.da) + range.len as u64;
            self.da <= other.da && end(other) <= end(self)
        }
    }
}
