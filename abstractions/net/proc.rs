// SPDX-License-Identifier: GPL-2.0

//! Files in `/proc/net`, one in each network namespace.
//!
//! C headers: [`include/linux/proc_fs.h`](srctree/include/linux/proc_fs.h),
//! [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use super::netdev::NetId;
use crate::abstractions::{
    bindings,
    module::{
        Registered,
        Unregister, //
    }, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    prelude::*,
    seq_file::SeqFile,
    types::Opaque, //
};

/// A file in `/proc/net`.
pub(crate) trait NetFile: 'static {
    /// The name of the file, which no other file in `/proc/net` has.
    const NAME: &'static CStr;

    /// Prints the file of a namespace. Called for each read from its beginning, and again if the
    /// buffer was too small. Process context: may sleep, but the end of the module waits for it.
    fn show(net: NetId, file: &SeqFile) -> Result;
}

#[pin_data]
struct Inner<F> {
    #[pin]
    operations: Opaque<bindings::pernet_operations>,
    _phantom: PhantomData<fn() -> F>,
}

// SAFETY: The registration may end on any thread. There is nothing of `F` in it.
unsafe impl<F> Send for Inner<F> {}

// SAFETY: The list of namespaces synchronizes the structure.
unsafe impl<F> Sync for Inner<F> {}

// SAFETY: Unregistering waits for calls of `init()` and `exit()`, and calls `exit()` for each
// namespace that has the file, which waits for calls of `show()`.
unsafe impl<F: NetFile> Unregister for Inner<F> {
    fn unregister(&self) {
        // SAFETY: It was registered when it had been made, and this is called once.
        unsafe { bindings::unregister_pernet_subsys(self.operations.get()) };
    }
}

/// The owner of a file in `/proc/net` of all namespaces, which anybody may read. Dropping it
/// removes the file and waits for those who read it: that is for process context without RTNL. A
/// file that is open then stays so, and reading it fails with `EIO`.
///
/// Without `CONFIG_PROC_FS` there is no file.
pub(crate) struct NetFiles<F: NetFile>(
    #[expect(dead_code, reason = "dropped")] Registered<Inner<F>>,
);

impl<F: NetFile> NetFiles<F> {
    /// Makes the files, now and with each new namespace. `ENOMEM` also if there is a file of the
    /// name. Process context without RTNL: sleeps.
    pub(crate) fn new() -> Result<Self> {
        let raw = bindings::pernet_operations {
            init: Some(init::<F>),
            exit: Some(exit::<F>),
            ..pin_init::zeroed()
        };
        let inner = try_pin_init!(Inner {
            operations: Opaque::new(raw),
            _phantom: PhantomData,
            // SAFETY: The object stays where it is until it was unregistered; if this fails, no
            // namespace has the file, and nobody knows of it.
            _: { to_result(unsafe { bindings::register_pernet_subsys(operations.get()) })? },
        }? Error);
        Registered::new(inner).map(Self)
    }
}

/// Makes the file of a namespace.
///
/// # Safety
///
/// For the list of namespaces, with one that has a `/proc/net`.
unsafe extern "C" fn init<F: NetFile>(net: *mut bindings::net) -> c_int {
    // SAFETY: By the safety requirements, the namespace has a `/proc/net`; the name is a constant.
    let made =
        unsafe { bindings::net_helper_proc_create(net, F::NAME.as_char_ptr(), Some(show::<F>)) };
    if made {
        0
    } else {
        ENOMEM.to_errno()
    }
}

/// Removes the file of a namespace.
///
/// # Safety
///
/// For the list of namespaces, with one for which [`init()`] succeeded.
unsafe extern "C" fn exit<F: NetFile>(net: *mut bindings::net) {
    // SAFETY: By the safety requirements, the file is there, and it is that of `init()`.
    unsafe { bindings::net_helper_proc_remove(net, F::NAME.as_char_ptr()) };
}

/// Prints the file of a namespace.
///
/// # Safety
///
/// For a file that [`init()`] made, with a `struct seq_file` that only this call uses.
unsafe extern "C" fn show<F: NetFile>(file: *mut bindings::seq_file, _: *mut c_void) -> c_int {
    // SAFETY: By the safety requirements, the file is that of a namespace, to which it has a
    // reference while it is open.
    let net = NetId::new(unsafe { bindings::net_helper_seq_net(file) });
    // SAFETY: By the safety requirements, the file is valid, and only this call uses it.
    let file = unsafe { SeqFile::from_raw(file) };
    match F::show(net, file) {
        Ok(()) => 0,
        Err(error) => error.to_errno(),
    }
}
