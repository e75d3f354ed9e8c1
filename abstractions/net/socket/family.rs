// SPDX-License-Identifier: GPL-2.0

//! Registration of a family of sockets.
//!
//! C header: [`include/linux/net.h`](srctree/include/linux/net.h)

use super::{
    callbacks::Callbacks,
    sock::Socket,
    SocketOps, //
};
use crate::abstractions::{
    bindings,
    compat::this_module, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        AtomicFlag,
        Relaxed, //
    },
    types::Opaque,
    InPlaceModule, //
};

/// The static item that holds the kernel's data of a family of sockets (`struct proto`).
pub(crate) struct Proto<P: SocketOps> {
    inner: Opaque<bindings::proto>,
    _phantom: PhantomData<fn() -> P>,
}

// SAFETY: The kernel synchronizes the accesses to the structure.
unsafe impl<P: SocketOps> Sync for Proto<P> {}

impl<P: SocketOps> Proto<P> {
    /// Creates the data of a family.
    pub(crate) const fn new() -> Self {
        let mut proto: bindings::proto = pin_init::zeroed();
        let name = P::NAME.to_bytes_with_nul();
        let mut i = 0;
        // The last byte stays zero.
        while i < name.len() && i < proto.name.len() - 1 {
            proto.name[i] = name[i] as c_char;
            i += 1;
        }
        proto.owner = this_module::<P::OwnerModule>().as_ptr();
        proto.obj_size = Socket::<P>::SIZE as c_uint;
        Self {
            inner: Opaque::new(proto),
            _phantom: PhantomData,
        }
    }

    pub(super) fn as_raw(&self) -> *mut bindings::proto {
        self.inner.get()
    }
}

/// A registered family of sockets: there can be sockets of it as long as this exists.
///
/// # Invariants
///
/// The family and this `struct proto` are registered.
struct Registration<P: SocketOps>(&'static Proto<P>);

impl<P: SocketOps> Registration<P> {
    /// Registers the family. Process context: sleeps.
    ///
    /// # Safety
    ///
    /// The registration must be dropped before the module is unloaded, and no earlier, and at most
    /// one must be made.
    unsafe fn new() -> Result<Self> {
        let place = P::proto();
        let proto = place.as_raw();
        // SAFETY: The structure is complete, and as a static item it stays where it is. By the
        // safety requirements, it is not registered yet.
        to_result(unsafe { bindings::proto_register(proto, 0) })?;
        let family: &'static bindings::net_proto_family = &Callbacks::<P>::FAMILY;
        // SAFETY: The structure is there until the module is unloaded.
        if let Err(error) = to_result(unsafe { bindings::sock_register(family) }) {
            // SAFETY: It was just registered, and there can be no socket of it.
            unsafe { bindings::proto_unregister(proto) };
            return Err(error);
        }
        // INVARIANT: Both are registered now.
        Ok(Self(place))
    }
}

impl<P: SocketOps> Drop for Registration<P> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the family is registered.
        unsafe { bindings::sock_unregister(P::FAMILY) };
        // SAFETY: By the type invariant, it is registered. The module is being unloaded, so that
        // there are no sockets, and none is being created: each would hold the module.
        unsafe { bindings::proto_unregister(self.0.as_raw()) };
    }
}

/// A module `M` that has a family of sockets `P`. The family is registered last and unregistered
/// first. The registration is not handed out, so that it cannot outlive the module.
///
/// It must be the type of the module, or this file does not compile:
///
/// ```ignore
/// module! { type: WithSockets<Stack, StackSocket>, ... }
/// ```
#[pin_data]
pub(crate) struct WithSockets<M, P: SocketOps> {
    // Dropped in this order.
    registration: Registration<P>,
    #[pin]
    inner: M,
}

/// A module type that has a family of sockets.
trait HasSockets {}

impl<M, P: SocketOps> HasSockets for WithSockets<M, P> {}

/// Fails to compile if `M` is not such a type.
fn assert_has_sockets<M: HasSockets>() {}

/// Checks that this is the first initialization of the module. `EBUSY` if not.
fn begin() -> Result {
    static IS_BEGUN: AtomicFlag = AtomicFlag::new(false);

    assert_has_sockets::<crate::LocalModule>();
    if IS_BEGUN.xchg(true, Relaxed) {
        Err(EBUSY)
    } else {
        Ok(())
    }
}

impl<M: InPlaceModule, P: SocketOps> InPlaceModule for WithSockets<M, P> {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // Checked first, so that no code of `M` runs before a second call fails.
            _: { begin()? },
            inner <- M::init(module),
            // SAFETY: `begin()` succeeds once, for the module itself, since the module is of this
            // type. So one registration is made, which the module drops when it is unloaded, and
            // which is not handed out.
            registration: unsafe { Registration::new() }?,
        })
    }
}
