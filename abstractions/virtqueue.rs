// SPDX-License-Identifier: GPL-2.0

//! Callbacks of virtqueues.
//!
//! C header: [`include/linux/virtio.h`](srctree/include/linux/virtio.h)

use super::{
    bindings,
    napi::Napi, //
};

/// The callback of a virtqueue whose device's `priv` is a NAPI instance: schedules it. Any
/// context.
///
/// # Safety
///
/// For the virtio core to call with a virtqueue whose device's `priv` points to a [`Napi`].
pub unsafe extern "C" fn schedule_napi(vq: *mut bindings::virtqueue) {
    // SAFETY: The virtio core calls with a valid virtqueue, whose device is valid too.
    let vdev = unsafe { (*vq).vdev };
    // SAFETY: As above.
    let napi = unsafe { (*vdev).priv_ };
    // SAFETY: By the safety requirements; the device's driver keeps the instance alive until no
    // callback can be under way.
    let napi = unsafe { Napi::from_raw(napi.cast()) };
    napi.schedule();
}

/// The callback of a virtqueue that nobody has to be told about.
pub extern "C" fn ignore(_vq: *mut bindings::virtqueue) {}
