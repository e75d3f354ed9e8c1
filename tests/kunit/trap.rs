// SPDX-License-Identifier: GPL-2.0

//! Runs code of a test right after a CPU has read or written a place of shared memory: the modem's
//! answer comes between two instructions of the driver.
//!
//! C header: [`include/linux/hw_breakpoint.h`](srctree/include/linux/hw_breakpoint.h)

use crate::{
    bindings,
    fake::Fake,
    netdev::DriverNetdev,
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

/// The point at which the watched location is accessed.
static TOUCHED: Point = Point::unused();

/// Handles an access of the location. Called as if by an NMI.
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
    let address = memory.as_ptr().wrapping_add(at);
    watching(address, len, times, f, body)
}

/// Does the same, every time, with the place where remoteproc stores the virtqueue of a vring.
pub(crate) fn touching_virtqueue<R>(
    fake: &Fake,
    id: i32,
    f: &(dyn Fn() + Sync),
    body: impl FnOnce() -> Result<R>,
) -> Result<R> {
    // SAFETY: By the invariant of `Rproc`, the processor is valid.
    let place = unsafe { bindings::caif_kunit_vq_place(fake.rproc().as_raw(), id) };
    check!(!place.is_null(), "vring {id} has no notify id");
    watching(place.cast(), size_of::<usize>() as u32, u32::MAX, f, body)
}

/// Does the same, every time, with the state of a network device.
pub(crate) fn touching_state<R>(
    netdev: DriverNetdev<'_>,
    f: &(dyn Fn() + Sync),
    body: impl FnOnce() -> Result<R>,
) -> Result<R> {
    // SAFETY: The device is registered.
    let place = unsafe { bindings::caif_kunit_state_place(netdev.as_raw()) };
    watching(place.cast(), size_of::<usize>() as u32, u32::MAX, f, body)
}

fn watching<R>(
    address: *mut u8,
    len: u32,
    times: u32,
    f: &(dyn Fn() + Sync),
    body: impl FnOnce() -> Result<R>,
) -> Result<R> {
    let address = address.cast();
    let touches = Atomic::<u32>::new(0);
    let first = || {
        if touches.fetch_add(1, Relaxed) < times {
            f();
        }
    };
    let ret = TOUCHED.during(&first, || {
        // SAFETY: The place is memory of the kernel, and the function may be called as if by an
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
