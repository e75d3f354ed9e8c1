// SPDX-License-Identifier: GPL-2.0

//! Code of a test that runs when a CPU has just read or written a place of shared memory: the
//! modem's answer comes between two instructions of the driver.
//!
//! C header: [`include/linux/hw_breakpoint.h`](srctree/include/linux/hw_breakpoint.h)

use crate::{
    bindings,
    fake::Fake,
    scope::Point,
    vring::Location, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    }, //
};

/// Where the one location is touched that is being watched.
static TOUCHED: Point = Point::unused();

/// Called when the location was touched, as if by an NMI.
extern "C" fn touched() {
    TOUCHED.run();
}

/// Runs `f` the first `times` times that a CPU has read or written the location while `body` runs.
/// `f` may do no more than read and write memory. May sleep.
pub(crate) fn touching<R>(
    fake: &Fake,
    location: Location,
    times: u32,
    f: &(dyn Fn() + Sync),
    body: impl FnOnce() -> Result<R>,
) -> Result<R> {
    let Location { at, len } = location;
    let memory = fake.memory();
    let fits = at
        .checked_add(len as usize)
        .is_some_and(|end| end <= memory.len());
    check!(fits, "{len} bytes at {at} are outside of the memory");
    let address = memory.as_ptr().wrapping_add(at).cast();
    let touches = Atomic::<u32>::new(0);
    let first = || {
        if touches.fetch_add(1, Relaxed) < times {
            f();
        }
    };
    let ret = TOUCHED.during(&first, || {
        // SAFETY: The location is memory of the kernel, and the function may be called as if by an
        // NMI, where `f` is good for.
        to_result(unsafe { bindings::caif_kunit_trap(address, len, Some(touched)) })?;
        let ret = body();
        // SAFETY: It was set above.
        unsafe { bindings::caif_kunit_untrap() };
        ret
    })?;
    check!(touches.load(Relaxed) > 0, "nobody touched the location");
    Ok(ret)
}
