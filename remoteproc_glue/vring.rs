// SPDX-License-Identifier: GPL-2.0

//! The two vrings of a link.

use super::bindings;
use kernel::{
    fmt,
    prelude::*, //
};

/// A vring of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vring {
    /// The reversed vring, on which frames arrive.
    Rx,
    /// The vring on which frames are sent.
    Tx,
}

impl Vring {
    /// All vrings, in the order of their numbers.
    pub(super) const ALL: [Self; 2] = [Self::Rx, Self::Tx];

    /// Returns the number of the vring in the resource table.
    #[inline]
    pub(super) const fn number(self) -> usize {
        match self {
            Self::Rx => 0,
            Self::Tx => 1,
        }
    }
}

const _: () = assert!(Vring::ALL.len() == bindings::RVDEV_NUM_VRINGS as usize);

impl fmt::Display for Vring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number())
    }
}

/// A value for each vring of a link.
#[derive(Clone, Copy)]
pub(crate) struct PerVring<T> {
    pub(crate) rx: T,
    pub(crate) tx: T,
}

impl<T> PerVring<T> {
    /// Creates a value for each vring.
    pub(super) fn try_from_fn(mut f: impl FnMut(Vring) -> Result<T>) -> Result<Self> {
        Ok(Self {
            rx: f(Vring::Rx)?,
            tx: f(Vring::Tx)?,
        })
    }

    /// Returns the value for a vring.
    #[inline]
    pub(super) fn get(&self, vring: Vring) -> &T {
        match vring {
            Vring::Rx => &self.rx,
            Vring::Tx => &self.tx,
        }
    }
}
