// SPDX-License-Identifier: GPL-2.0

//! The C callbacks of a family of sockets.

use super::{
    guard::Call,
    message::{
        ReceiveMessage,
        SendMessage, //
    },
    option::{
        OptionSink, //
        OptionSource,
    },
    sock::Socket,
    Created,
    SocketOps, //
};
use crate::abstractions::{
    bindings,
    compat::this_module, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull,
    slice, //
};
use kernel::{
    error::from_result,
    prelude::*, //
};

/// The C callbacks for `P`.
///
/// All but `create()` and `destruct()` are called with a `struct socket` that `create()` completed
/// and whose file is open; `release()` with one whose file is being closed, once.
pub(super) struct Callbacks<P: SocketOps>(PhantomData<P>);

impl<P: SocketOps> Callbacks<P> {
    pub(super) const FAMILY: bindings::net_proto_family = bindings::net_proto_family {
        family: P::FAMILY,
        create: Some(Self::create),
        owner: this_module::<P::OwnerModule>().as_ptr(),
    };

    const OPS: bindings::proto_ops = bindings::proto_ops {
        family: P::FAMILY,
        owner: this_module::<P::OwnerModule>().as_ptr(),
        release: Some(Self::release),
        bind: Some(bindings::sock_no_bind),
        connect: Some(Self::connect),
        socketpair: Some(bindings::sock_no_socketpair),
        accept: Some(bindings::sock_no_accept),
        getname: Some(bindings::sock_no_getname),
        poll: Some(Self::poll),
        ioctl: Some(bindings::sock_no_ioctl),
        listen: Some(bindings::sock_no_listen),
        shutdown: Some(bindings::sock_no_shutdown),
        setsockopt: Some(Self::setsockopt),
        getsockopt_iter: Some(Self::getsockopt),
        sendmsg: Some(Self::sendmsg),
        recvmsg: Some(Self::recvmsg),
        mmap: Some(bindings::sock_no_mmap),
        ..pin_init::zeroed()
    };

    /// Returns the socket of a `struct socket`.
    ///
    /// # Safety
    ///
    /// `sock` must be as described at [`Callbacks`], for all of `'a`.
    unsafe fn socket<'a>(sock: *mut bindings::socket) -> &'a Socket<P> {
        // SAFETY: By the safety requirements, the `struct socket` is valid.
        let sk = unsafe { (*sock).sk };
        // SAFETY: `create()` initialized the private part of the socket, which is not freed before
        // the `struct socket` is.
        unsafe { &*Socket::<P>::of(sk) }
    }

    /// Returns the call on a `struct socket`.
    ///
    /// # Safety
    ///
    /// `sock` must be as for [`socket`](Self::socket), and its file be open, or being closed, for
    /// all of `'a`.
    unsafe fn call<'a>(sock: *mut bindings::socket) -> Call<'a, P> {
        // SAFETY: By the safety requirements, `sock` is as described at `Callbacks`.
        let socket = unsafe { Self::socket(sock) };
        // SAFETY: By the safety requirements, the file is open, or being closed, for all of `'a`.
        unsafe { Call::new(socket) }
    }

    /// Creates the socket of a `struct socket`.
    ///
    /// # Safety
    ///
    /// Must be called by the core, with a new `struct socket` of this family, and its namespace.
    unsafe extern "C" fn create(
        net: *mut bindings::net,
        sock: *mut bindings::socket,
        protocol: c_int,
        kern: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: The kernel passes a `struct socket` that nothing else refers to.
            let kind = unsafe { (*sock).type_ };
            let Created {
                ops,
                state,
                priority,
            } = P::create(kind.into(), protocol)?;
            let proto = P::proto().as_raw();
            // SAFETY: The structure has the size of a socket of the family, and lives as long as
            // the module, to which the socket holds a reference.
            let sk = unsafe { bindings::helper_sk_alloc(net, P::FAMILY, proto, kern) };
            let sk = NonNull::new(sk).ok_or(ENOMEM)?.as_ptr();
            // SAFETY: The private part is written to its place next, and used there only after the
            // socket was initialized below.
            let private = unsafe { Socket::new(ops, state) };
            // SAFETY: The memory was just allocated, with room for the private part.
            unsafe { Socket::<P>::of(sk).write(private) };
            let table: &'static bindings::proto_ops = &Self::OPS;
            // SAFETY: The kernel passes a `struct socket` that nothing else refers to.
            unsafe { (*sock).ops = table };
            // SAFETY: The kernel passes a `struct socket` that nothing else refers to.
            unsafe { (*sock).state = bindings::HELPER_SS_UNCONNECTED };
            // INVARIANT: The private part is complete before anything else can refer to the socket.
            // SAFETY: Both are new. `destruct()` is for sockets with a private part.
            unsafe {
                bindings::helper_sock_init(sock, sk, protocol, priority, Some(Self::destruct))
            };
            Ok(0)
        })
    }

    /// Drops the private part of a socket.
    ///
    /// # Safety
    ///
    /// Must be called by the core, with a `struct sock` of this family that nothing refers to any
    /// more.
    unsafe extern "C" fn destruct(sk: *mut bindings::sock) {
        // SAFETY: The kernel calls this once, when there are no references any more.
        unsafe { bindings::helper_sock_end(sk) };
        // SAFETY: There are no references any more, and `create()` initialized the private part.
        unsafe { Socket::<P>::of(sk).drop_in_place() };
    }

    /// Closes a socket.
    ///
    /// # Safety
    ///
    /// As described at [`Callbacks`].
    unsafe extern "C" fn release(sock: *mut bindings::socket) -> c_int {
        // SAFETY: The kernel passes a `struct socket` that it is about to free.
        let sk = unsafe { (*sock).sk };
        // `create()` failed, so there is no socket.
        if sk.is_null() {
            return 0;
        }
        {
            // SAFETY: `sock` is as described at `Callbacks`; it and its wait queue are valid until
            // the socket is orphaned.
            let mut call = unsafe { Self::call(sock) };
            let mut guard = call.lock();
            P::release(&mut guard);
            guard.dissociate();
        }
        // SAFETY: The reference that `create()` got keeps the socket valid, and nothing waits for
        // it any more.
        unsafe { bindings::helper_sock_orphan(sk) };
        // SAFETY: The `struct socket` is ours.
        unsafe { (*sock).sk = core::ptr::null_mut() };
        // SAFETY: The reference that `create()` got passes to the callee.
        unsafe { bindings::helper_sock_put(sk) };
        0
    }

    /// Connects a socket.
    ///
    /// # Safety
    ///
    /// As described at [`Callbacks`], with an address of `len` bytes in the kernel's memory.
    unsafe extern "C" fn connect(
        sock: *mut bindings::socket,
        address: *mut bindings::sockaddr_unsized,
        len: c_int,
        flags: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `sock` is as described at `Callbacks`.
            let mut call = unsafe { Self::call(sock) };
            let len = usize::try_from(len).map_err(|_| EINVAL)?;
            let address = if len == 0 {
                &[]
            } else {
                // SAFETY: The kernel passes an address of `len` bytes, in memory of its own.
                unsafe { slice::from_raw_parts(address.cast::<u8>(), len) }
            };
            let nonblock = flags & bindings::O_NONBLOCK as c_int != 0;
            P::connect(&mut call, address, nonblock)?;
            Ok(0)
        })
    }

    /// Returns the events that are pending, and adds the caller to the wait queue.
    ///
    /// # Safety
    ///
    /// As described at [`Callbacks`], with the file of the socket and the caller's poll table.
    unsafe extern "C" fn poll(
        file: *mut bindings::file,
        sock: *mut bindings::socket,
        table: *mut bindings::poll_table_struct,
    ) -> bindings::__poll_t {
        // SAFETY: The kernel passes the file, its socket and a poll table.
        unsafe { bindings::helper_sock_poll_wait(file, sock, table) };
        // SAFETY: `sock` is as described at `Callbacks`.
        P::poll(unsafe { Self::socket(sock) })
    }

    /// Sets an option of the family.
    ///
    /// # Safety
    ///
    /// As described at [`Callbacks`], with a value of `len` bytes of the caller's.
    unsafe extern "C" fn setsockopt(
        sock: *mut bindings::socket,
        level: c_int,
        name: c_int,
        value: bindings::sockptr_t,
        len: c_uint,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `sock` is as described at `Callbacks`.
            let mut call = unsafe { Self::call(sock) };
            // SAFETY: The kernel passes a value of this length.
            let value = unsafe { OptionSource::new(value, usize::try_from(len)?) };
            P::set_option(&mut call, level, name, &value)?;
            Ok(0)
        })
    }

    /// Returns an option of the family.
    ///
    /// # Safety
    ///
    /// As described at [`Callbacks`], with the place for a value of the caller's.
    unsafe extern "C" fn getsockopt(
        sock: *mut bindings::socket,
        level: c_int,
        name: c_int,
        opt: *mut bindings::sockopt,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `sock` is as described at `Callbacks`.
            let mut call = unsafe { Self::call(sock) };
            // SAFETY: The kernel passes the option of this call.
            let mut value = unsafe { OptionSink::new(opt) };
            P::get_option(&mut call, level, name, &mut value)?;
            Ok(0)
        })
    }

    /// Sends a message.
    ///
    /// # Safety
    ///
    /// As described at [`Callbacks`], with a message of `len` bytes of the caller's.
    unsafe extern "C" fn sendmsg(
        sock: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        len: usize,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `sock` is as described at `Callbacks`.
            let mut call = unsafe { Self::call(sock) };
            // SAFETY: The kernel passes the message of this call.
            let mut message = unsafe { SendMessage::new(msg, len) };
            Ok(c_int::try_from(P::send(&mut call, &mut message)?)?)
        })
    }

    /// Receives a message.
    ///
    /// # Safety
    ///
    /// As described at [`Callbacks`], with the place for a message of `len` bytes of the caller's.
    unsafe extern "C" fn recvmsg(
        sock: *mut bindings::socket,
        msg: *mut bindings::msghdr,
        len: usize,
        flags: c_int,
    ) -> c_int {
        from_result(|| {
            // SAFETY: `sock` is as described at `Callbacks`.
            let mut call = unsafe { Self::call(sock) };
            // SAFETY: The kernel passes the message of this call.
            // CAST: The flags are bits.
            let mut message = unsafe { ReceiveMessage::new(msg, len, flags as u32) };
            Ok(c_int::try_from(P::receive(&mut call, &mut message)?)?)
        })
    }
}
