// SPDX-License-Identifier: GPL-2.0

//! The kernel's errors for those of the stack's logic.

use crate::{
    abstractions::compat::prelude::*,
    policy::Errno, //
};

impl From<Errno> for Error {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NotPermitted => EPERM,
            Errno::Again => EAGAIN,
            Errno::NoMemory => ENOMEM,
            Errno::NoDevice => ENODEV,
            Errno::Invalid => EINVAL,
            Errno::Pipe => EPIPE,
            Errno::MessageSize => EMSGSIZE,
            Errno::Malformed => EPROTO,
            Errno::Protocol => EPROTONOSUPPORT,
            Errno::SocketType => ESOCKTNOSUPPORT,
            Errno::IsConnected => EISCONN,
            Errno::TimedOut => ETIMEDOUT,
            Errno::Refused => ECONNREFUSED,
            Errno::Already => EALREADY,
        }
    }
}
