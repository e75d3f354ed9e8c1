// SPDX-License-Identifier: GPL-2.0

//! The network device of a link, as the network stack sees it.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    bindings,
    scope::Point, //
};
use core::{
    marker::PhantomData,
    ptr::{
        from_ref,
        NonNull, //
    }, //
};
use kernel::{
    device,
    error::to_result,
    prelude::*, //
};

/// The point at which a frame of [`DriverNetdev::send_watched`] is freed: its copy is in the vring
/// and not published.
pub(crate) static FREED: Point = Point::unused();

/// Runs [`FREED`] when a watched frame is freed.
extern "C" fn freed(_skb: *mut bindings::sk_buff) {
    FREED.run();
}

/// A network device. It stays while it is used, as only the test removes it.
///
/// # Invariants
///
/// The device is registered for as long as the value is used.
#[derive(Clone, Copy)]
pub(crate) struct DriverNetdev<'a> {
    dev: NonNull<bindings::net_device>,
    _phantom: PhantomData<&'a ()>,
}

// SAFETY: The methods only do what any thread may do to a registered device.
unsafe impl Send for DriverNetdev<'_> {}

// SAFETY: As for `Send`.
unsafe impl Sync for DriverNetdev<'_> {}

/// Properties of a network device.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Properties {
    /// `ARPHRD_*`.
    pub(crate) hw_type: u16,
    /// Largest packet now, the smallest that it can be set to, and the largest.
    pub(crate) mtu: [u32; 3],
    /// Whether it is point to point, without address resolution.
    pub(crate) is_p2p_noarp: bool,
}

/// Counts of a network device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Packets received.
    pub(crate) rx_packets: u64,
    /// Bytes received.
    pub(crate) rx_bytes: u64,
    /// All errors of reception.
    pub(crate) rx_errors: u64,
    /// Buffers of a wrong length.
    pub(crate) rx_length_errors: u64,
    /// Buffers of a wrong address or kind.
    pub(crate) rx_frame_errors: u64,
    /// Broken rings.
    pub(crate) rx_fifo_errors: u64,
    /// Packets sent.
    pub(crate) tx_packets: u64,
    /// Broken rings.
    pub(crate) tx_fifo_errors: u64,
    /// Bytes sent.
    pub(crate) tx_bytes: u64,
    /// Packets that could not be sent.
    pub(crate) tx_errors: u64,
    /// Packets that were not sent because the link was broken.
    pub(crate) tx_dropped: u64,
}

impl<'a> DriverNetdev<'a> {
    /// Finds the network device below another device.
    pub(crate) fn find_below(ancestor: &'a device::Device) -> Option<Self> {
        let ancestor = from_ref(ancestor).cast();
        // SAFETY: The device is valid, and the lock of the network devices is not held.
        let dev = unsafe { bindings::caif_kunit_find_netdev(ancestor) };
        // INVARIANT: It was found in the list of registered devices.
        Some(Self {
            dev: NonNull::new(dev)?,
            _phantom: PhantomData,
        })
    }

    /// Returns the C structure.
    pub(crate) fn as_raw(&self) -> *mut bindings::net_device {
        self.dev.as_ptr()
    }

    /// Returns whether the name is this prefix and a number.
    pub(crate) fn is_named(&self, prefix: &[u8]) -> bool {
        // SAFETY: The device is registered, hence nobody renames it behind the test's back.
        let name = unsafe { (*self.as_raw()).name };
        let mut bytes = name.iter().copied().take_while(|b| *b != 0);
        prefix.iter().all(|wanted| bytes.next() == Some(*wanted))
            && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
            && bytes.all(|byte| byte.is_ascii_digit())
    }

    /// Returns the properties of the device.
    pub(crate) fn properties(&self) -> Properties {
        let wanted =
            bindings::net_device_flags_IFF_POINTOPOINT | bindings::net_device_flags_IFF_NOARP;
        // SAFETY: The device is registered.
        let dev = unsafe { self.dev.as_ref() };
        Properties {
            hw_type: dev.type_,
            mtu: [dev.mtu, dev.min_mtu, dev.max_mtu],
            is_p2p_noarp: dev.flags & wanted == wanted,
        }
    }

    /// Sets it up. May sleep.
    pub(crate) fn open(&self) -> Result {
        // SAFETY: The device is registered, and its lock not held.
        to_result(unsafe { bindings::caif_kunit_open(self.as_raw()) })
    }

    /// Sets it down. May sleep.
    pub(crate) fn close(&self) {
        // SAFETY: The device is registered, and its lock not held.
        unsafe { bindings::caif_kunit_close(self.as_raw()) }
    }

    /// Returns whether the device is up, or about to be.
    pub(crate) fn is_running(&self) -> bool {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_is_running(self.as_raw()) }
    }

    /// Returns whether the device is attached, which it is not while the machine sleeps.
    pub(crate) fn is_present(&self) -> bool {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_is_present(self.as_raw()) }
    }

    /// Waits until no run of the poll function is due or under way. May sleep.
    pub(crate) fn settle(&self) {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_settle(self.as_raw()) }
    }

    /// Polls with a budget of 0, as netpoll does.
    pub(crate) fn poll_without_budget(&self) {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_poll_without_budget(self.as_raw()) }
    }

    /// Polls with a budget of 0 in the middle of a transmission of this CPU.
    pub(crate) fn poll_while_sending(&self) {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_poll_while_sending(self.as_raw()) }
    }

    /// Returns whether the device has a carrier.
    pub(crate) fn carrier(&self) -> bool {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_carrier_ok(self.as_raw()) }
    }

    /// Returns whether the driver stopped the transmit queue.
    pub(crate) fn is_stopped(&self) -> bool {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_is_stopped(self.as_raw()) }
    }

    /// Resets the byte queue limits.
    pub(crate) fn reset_byte_limits(&self) {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_reset_bql(self.as_raw()) }
    }

    /// Prevents the byte queue limits, which begin at a single packet, from stopping the queue.
    /// Takes effect at the next completion.
    pub(crate) fn lift_byte_limits(&self) {
        // SAFETY: The device is registered.
        unsafe { bindings::caif_kunit_no_bql(self.as_raw()) }
    }

    /// Sends a frame. Returns 0 or a code of the network stack.
    pub(crate) fn send(&self, frame: &[u8]) -> c_int {
        let data = frame.as_ptr().cast();
        // SAFETY: The device is registered, and the function copies the frame.
        unsafe { bindings::caif_kunit_send(self.as_raw(), data, frame.len() as c_uint) }
    }

    /// Sends a frame whose bytes from `linear` on are in a page, and whose checksum is to be made
    /// from `start` on and put `offset` bytes behind that.
    pub(crate) fn send_in_pieces(
        &self,
        frame: &[u8],
        linear: c_uint,
        start: c_uint,
        offset: c_uint,
    ) -> c_int {
        let data = frame.as_ptr().cast();
        let len = frame.len() as c_uint;
        let dev = self.as_raw();
        // SAFETY: The device is registered, and the function copies the frame.
        unsafe { bindings::caif_kunit_send_in_pieces(dev, data, len, linear, start, offset) }
    }

    /// Sends a frame like [`send`](Self::send), and runs [`FREED`] when the driver frees it.
    pub(crate) fn send_watched(&self, frame: &[u8]) -> c_int {
        let data = frame.as_ptr().cast();
        let len = frame.len() as c_uint;
        // SAFETY: By the type invariant, the device is registered, and the function copies the
        // frame; `freed()` can be called in any context.
        unsafe { bindings::caif_kunit_send_watched(self.as_raw(), data, len, Some(freed)) }
    }

    /// Sends a frame like [`send_watched`](Self::send_watched), without a queueing discipline,
    /// whether the interface is up or not.
    pub(crate) fn send_directly(&self, frame: &[u8]) -> c_int {
        let data = frame.as_ptr().cast();
        let len = frame.len() as c_uint;
        // SAFETY: By the type invariant, the device is registered, and the function copies the
        // frame; `freed()` can be called in any context.
        unsafe { bindings::caif_kunit_send_directly(self.as_raw(), data, len, Some(freed)) }
    }

    /// Returns the statistics.
    pub(crate) fn stats(&self) -> Stats {
        let mut raw = bindings::rtnl_link_stats64::default();
        // SAFETY: The device is registered.
        unsafe { bindings::dev_get_stats(self.as_raw(), &mut raw) };
        Stats {
            rx_packets: raw.rx_packets,
            rx_bytes: raw.rx_bytes,
            rx_errors: raw.rx_errors,
            rx_length_errors: raw.rx_length_errors,
            rx_frame_errors: raw.rx_frame_errors,
            rx_fifo_errors: raw.rx_fifo_errors,
            tx_packets: raw.tx_packets,
            tx_bytes: raw.tx_bytes,
            tx_fifo_errors: raw.tx_fifo_errors,
            tx_errors: raw.tx_errors,
            tx_dropped: raw.tx_dropped,
        }
    }
}
