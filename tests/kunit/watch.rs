// SPDX-License-Identifier: GPL-2.0

//! Waiting for changes of network devices, of their carrier among others.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    abstractions::event::Event,
    bindings,
    fake::TIMEOUT_MS, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// Is told of each change of a network device.
#[pin_data(PinnedDrop)]
pub struct Watch {
    #[pin]
    notifier: Opaque<bindings::notifier_block>,
    #[pin]
    event: Event,
}

impl Watch {
    /// Watches from now on.
    pub fn new() -> Result<Pin<KBox<Self>>> {
        KBox::try_pin_init(
            try_pin_init!(Self {
                notifier <- Opaque::zeroed(),
                event <- Event::new(),
                _: {
                    let raw = notifier.get();
                    // SAFETY: The structure is zeroed, and nobody else knows it yet.
                    unsafe { (*raw).notifier_call = Some(notify) };
                    // SAFETY: The notifier is complete, and stays until it is taken away on drop.
                    to_result(unsafe { bindings::register_netdevice_notifier(raw) })?
                },
            }? Error),
            GFP_KERNEL,
        )
    }

    /// Waits until the condition holds, which is looked at after each change.
    pub fn wait(&self, condition: impl Fn() -> bool) -> bool {
        loop {
            self.event.reset();
            if condition() {
                return true;
            }
            if !self.event.wait(TIMEOUT_MS) {
                return condition();
            }
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Watch {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The notifier was registered.
        unsafe { bindings::unregister_netdevice_notifier(self.notifier.get()) };
    }
}

/// Called for each change, in process context.
extern "C" fn notify(
    notifier: *mut bindings::notifier_block,
    _change: c_ulong,
    _info: *mut c_void,
) -> c_int {
    // SAFETY: The notifier is the field of a `Watch`, which takes it away before it goes.
    let watch: *const Watch =
        unsafe { kernel::container_of!(Opaque::cast_from(notifier), Watch, notifier) };
    // SAFETY: As above.
    unsafe { &*watch }.event.set();
    0
}
