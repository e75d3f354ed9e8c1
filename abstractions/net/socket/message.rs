// SPDX-License-Identifier: GPL-2.0

//! The messages of system calls that send and receive.
//!
//! C header: [`include/linux/socket.h`](srctree/include/linux/socket.h)

use crate::abstractions::{
    bindings,
    net::skbuff::SkBuff, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A message to send.
pub(crate) struct SendMessage<'a> {
    msg: &'a mut bindings::msghdr,
    len: usize,
    /// Bytes that were copied to packets that are not sent yet.
    taken: usize,
}

impl<'a> SendMessage<'a> {
    /// Describes a message to send.
    ///
    /// # Safety
    ///
    /// `msg` must be that of a call of `sendmsg`, with `len` bytes to send, for all of `'a`.
    pub(super) unsafe fn new(msg: *mut bindings::msghdr, len: usize) -> Self {
        Self {
            // SAFETY: By the safety requirements, nothing else uses it.
            msg: unsafe { &mut *msg },
            len,
            taken: 0,
        }
    }

    /// Returns `MSG_*`.
    pub(crate) fn flags(&self) -> u32 {
        self.msg.msg_flags
    }

    /// Returns whether the message has an address.
    pub(crate) fn has_address(&self) -> bool {
        self.msg.msg_namelen != 0
    }

    /// Returns the number of bytes to send.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Fills a packet with the message's next `len` bytes.
    pub(super) fn copy_to(&mut self, skb: &SkBuff, len: u32) -> Result {
        let size = c_int::try_from(len)?;
        // SAFETY: The packet is valid and has `len` bytes, or the callee fails, and the message is
        // that of a call. Only the one that created the packet calls this, so that nothing else
        // refers to it.
        let error = unsafe {
            bindings::skb_copy_datagram_from_iter(skb.as_raw(), 0, &mut self.msg.msg_iter, size)
        };
        to_result(error)?;
        self.taken = self.taken.saturating_add(usize::try_from(len)?);
        Ok(())
    }

    /// Marks all bytes that were copied so far as sent.
    pub(super) fn keep(&mut self) {
        self.taken = 0;
    }

    /// Reverts the copying of the bytes that are not sent yet, so that they come next again.
    pub(crate) fn take_back(&mut self) {
        // SAFETY: The message is that of a call, and `taken` bytes were copied from it last.
        unsafe { bindings::iov_iter_revert(&mut self.msg.msg_iter, self.taken) };
        self.taken = 0;
    }
}

/// A message to receive into.
pub(crate) struct ReceiveMessage<'a> {
    msg: &'a mut bindings::msghdr,
    len: usize,
    flags: u32,
}

impl<'a> ReceiveMessage<'a> {
    /// Describes a message to receive into.
    ///
    /// # Safety
    ///
    /// `msg` must be that of a call of `recvmsg`, with room for `len` bytes, for all of `'a`.
    pub(super) unsafe fn new(msg: *mut bindings::msghdr, len: usize, flags: u32) -> Self {
        Self {
            // SAFETY: By the safety requirements, nothing else uses it.
            msg: unsafe { &mut *msg },
            len,
            flags,
        }
    }

    /// Returns the `MSG_*` flags of the call.
    pub(crate) fn flags(&self) -> u32 {
        self.flags
    }

    /// Returns the number of bytes that fit.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Marks the message as truncated (`MSG_TRUNC`).
    pub(crate) fn set_truncated(&mut self) {
        self.msg.msg_flags |= bindings::MSG_TRUNC;
    }

    /// Copies a part of a packet.
    ///
    /// # Safety
    ///
    /// `skb` must be a valid packet that has `len` bytes behind `offset`, which are not changed.
    pub(super) unsafe fn copy_from(
        &mut self,
        skb: NonNull<bindings::sk_buff>,
        offset: u32,
        len: u32,
    ) -> Result {
        let (offset, len) = (c_int::try_from(offset)?, c_int::try_from(len)?);
        // SAFETY: The packet is as the callee needs it by the safety requirements, and the message
        // is that of a call.
        let error = unsafe {
            bindings::skb_copy_datagram_iter(skb.as_ptr(), offset, &mut self.msg.msg_iter, len)
        };
        to_result(error)
    }
}
