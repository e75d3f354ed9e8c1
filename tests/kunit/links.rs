// SPDX-License-Identifier: GPL-2.0

//! Links of the stack, `caif.ko`, that are made here, and sockets on them.

use crate::{
    bindings,
    toy_peer::Kernel, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        null_mut,
        NonNull, //
    }, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// `CAIFPROTO_AT`.
pub(crate) const AT: c_int = 0;
/// `CAIFPROTO_RFM`.
pub(crate) const RFM: c_int = 4;
/// The first link id of a modem.
pub(crate) const FIRST: u8 = 1;
/// The type of a link.
pub(crate) const CAIF: u16 = bindings::ARPHRD_CAIF as u16;
/// Another type.
pub(crate) const ETHER: u16 = 1;
/// A flag of calls that do not wait.
pub(crate) const DONTWAIT: u32 = bindings::MSG_DONTWAIT;

/// Messages that a link counts.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Destroys = bindings::CAIF_KUNIT_DESTROYS as isize,
    Frames = bindings::CAIF_KUNIT_FRAMES as isize,
    Setups = bindings::CAIF_KUNIT_SETUPS as isize,
    /// Packets for a queue that the device does not have.
    Strays = bindings::CAIF_KUNIT_STRAYS as isize,
    /// Frames and LINK_DESTROY messages of channels that the modem has not.
    Late = bindings::CAIF_KUNIT_LATES as isize,
    /// Frames that the device has dropped.
    Lost = bindings::CAIF_KUNIT_LOST as isize,
    /// Of the frames, those that stop the modem.
    FlowOffs = bindings::CAIF_KUNIT_FLOW_OFFS as isize,
    /// Of the frames, those that start the modem.
    FlowOns = bindings::CAIF_KUNIT_FLOW_ONS as isize,
}

/// Keeps RTNL busy until it is dropped: it is free for moments only.
pub(crate) struct BusyRtnl(());

impl BusyRtnl {
    /// Begins. There must be one of these at a time.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Process context.
        to_result(unsafe { bindings::caif_kunit_keep_rtnl(true) })?;
        Ok(Self(()))
    }
}

impl Drop for BusyRtnl {
    fn drop(&mut self) {
        // SAFETY: It was begun.
        unsafe { bindings::caif_kunit_keep_rtnl(false) };
    }
}

/// A notifier that is told of the events of links after all others.
///
/// # Invariants
///
/// It is registered, and there is no other one.
pub(crate) struct LastInChain(());

impl LastInChain {
    /// Registers it. Fails while there is one already.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Process context.
        to_result(unsafe { bindings::caif_kunit_see_events(true) })?;
        // INVARIANT: It was just registered, which fails if there is another one.
        Ok(Self(()))
    }

    /// Returns how many events of a kind, `NETDEV_*`, there were.
    pub(crate) fn seen(&self, event: u32) -> i32 {
        // SAFETY: There are no requirements.
        unsafe { bindings::caif_kunit_events_seen(event) }
    }
}

impl Drop for LastInChain {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, it is registered.
        unsafe { bindings::caif_kunit_see_events(false) };
    }
}

/// A link that is up, with a modem behind it.
///
/// # Invariants
///
/// The device is registered.
pub(crate) struct FakeLink(NonNull<bindings::net_device>);

impl FakeLink {
    /// Makes a link with a queue of `tx_queue_len` packets; without a queue for 0.
    pub(crate) fn new(tx_queue_len: u32) -> Result<Self> {
        // SAFETY: Process context.
        let dev = unsafe { bindings::caif_kunit_link_new(tx_queue_len) };
        // INVARIANT: It is registered, unless NULL was returned.
        NonNull::new(dev).map(Self).ok_or(ENOMEM)
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::net_device {
        self.0.as_ptr()
    }

    /// Returns how many, since the last call, were still links of the stack when they were
    /// unregistered.
    pub(crate) fn left() -> i32 {
        // SAFETY: There are no requirements.
        unsafe { bindings::caif_kunit_links_left() }
    }

    /// Returns the number of the device.
    pub(crate) fn index(&self) -> c_int {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_index(self.as_raw()) }
    }

    /// Makes the modem refuse what it is asked for.
    pub(crate) fn set_refusing(&self, refuse: bool) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_refuse(self.as_raw(), refuse) }
    }

    /// Makes the modem refuse a second channel while it has one.
    pub(crate) fn set_single(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_single(self.as_raw()) }
    }

    /// Makes a device without a queue say that it is congested, though it takes all packets.
    pub(crate) fn set_congested(&self, congested: bool) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_congested(self.as_raw(), congested) }
    }

    /// Makes a device without a queue drop packets, and say so.
    pub(crate) fn set_losing(&self, losing: bool) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_lose(self.as_raw(), losing, 0) }
    }

    /// Begins or ends an exchange of the device's queueing discipline, during which it drops what
    /// is sent.
    pub(crate) fn set_exchanging(&self, begin: bool) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_exchange(self.as_raw(), begin) }
    }

    /// As [`set_losing`](Self::set_losing), but the device takes so many frames of channels before.
    pub(crate) fn set_losing_after(&self, frames: u32) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_lose(self.as_raw(), true, frames) }
    }

    /// Loses the carrier, and has it again before anybody is told.
    pub(crate) fn flap(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_flap(self.as_raw()) }
    }

    /// Sets the device up or down.
    pub(crate) fn set_up(&self, up: bool) -> Result {
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe { bindings::caif_kunit_link_up(self.as_raw(), up) })
    }

    /// Closes a socket in another task, once the state of the other socket changes and before
    /// anything else happens there.
    pub(crate) fn close_with(&self, closes: Kernel, other: &Kernel) {
        let closes = ManuallyDrop::new(closes);
        // SAFETY: By the type invariant, the device is registered; the first socket passes to the
        // callee, and the other one is open.
        unsafe {
            bindings::caif_kunit_link_close_with(self.as_raw(), closes.as_raw(), other.as_raw())
        }
    }

    /// Makes a device that takes none take packets again once the state of a socket changes.
    pub(crate) fn restart_with(&self, socket: &Kernel) {
        // SAFETY: By the type invariant, the device is registered, and the socket is open.
        unsafe { bindings::caif_kunit_link_restart_with(self.as_raw(), socket.as_raw()) }
    }

    /// Makes the modem send a frame on a channel. Only the first bytes of its body can be read, as
    /// if there was no memory to have all of them in one piece.
    pub(crate) fn deliver(&self, id: u8, body: &[u8], readable: u32) -> Result {
        let (data, len) = (body.as_ptr().cast(), u32::try_from(body.len())?);
        // SAFETY: By the type invariant, the device is registered, and there are as many bytes.
        to_result(unsafe {
            bindings::caif_kunit_link_deliver(self.as_raw(), id, data, len, readable.min(len))
        })
    }

    /// Makes the modem send a frame on a channel. The checksum of what follows `start` is still to
    /// be put there, `offset` behind.
    pub(crate) fn deliver_partial(&self, id: u8, body: &[u8], start: u32, offset: u32) -> Result {
        let (data, len) = (body.as_ptr().cast(), u32::try_from(body.len())?);
        // SAFETY: By the type invariant, the device is registered, and there are as many bytes.
        to_result(unsafe {
            bindings::caif_kunit_link_deliver_partial(self.as_raw(), id, data, len, start, offset)
        })
    }

    /// Makes the modem send a frame on a channel, in pages that somebody waits for. Returns how
    /// many were given back when the device has delivered it. At most 4094 bytes.
    pub(crate) fn deliver_user(&self, id: u8, body: &[u8]) -> Result<i32> {
        let (data, len) = (body.as_ptr().cast(), u32::try_from(body.len())?);
        if len > 4094 {
            return Err(EMSGSIZE);
        }
        // SAFETY: By the type invariant, the device is registered, and there are as many bytes,
        // which fit into a page.
        to_result(unsafe { bindings::caif_kunit_link_deliver_user(self.as_raw(), id, data, len) })?;
        // SAFETY: There are no requirements.
        Ok(unsafe { bindings::caif_kunit_pages_back() })
    }

    /// Makes the modem send a frame on a channel, in a packet to which somebody else has a
    /// reference, or of which somebody has a clone; then the checksum of all but the first byte is
    /// still to be put behind that. Returns whether the packet that is held was changed.
    pub(crate) fn deliver_held(&self, id: u8, body: &[u8], as_clone: bool) -> Result<bool> {
        let (data, len) = (body.as_ptr().cast(), u32::try_from(body.len())?);
        let mut is_changed = false;
        // SAFETY: By the type invariant, the device is registered, and there are as many bytes.
        to_result(unsafe {
            bindings::caif_kunit_link_deliver_held(
                self.as_raw(),
                id,
                data,
                len,
                as_clone,
                &mut is_changed,
            )
        })?;
        Ok(is_changed)
    }

    /// Calls a function while what the device receives belongs to another one, as if it was a port
    /// of that, a bond.
    pub(crate) fn as_port_of<T>(&self, bond: &Self, then: impl FnOnce() -> T) -> Result<T> {
        // SAFETY: By their invariants, both devices are registered, and they are borrowed until it
        // is a port no longer.
        to_result(unsafe { bindings::caif_kunit_link_port(self.as_raw(), bond.as_raw()) })?;
        let result = then();
        // SAFETY: By the type invariant, the device is registered. It is a port.
        to_result(unsafe { bindings::caif_kunit_link_port(self.as_raw(), null_mut()) })?;
        Ok(result)
    }

    /// Returns the beginning of the last frame of a channel, at most 64 bytes, and zeroes behind
    /// its end.
    pub(crate) fn last<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // SAFETY: By the type invariant, the device is registered, and there is as much room.
        unsafe {
            bindings::caif_kunit_link_last(self.as_raw(), bytes.as_mut_ptr().cast(), N as c_uint)
        };
        bytes
    }

    /// Sets the MTU of the device.
    pub(crate) fn set_mtu(&self, mtu: u32) -> Result {
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe { bindings::caif_kunit_link_mtu(self.as_raw(), mtu) })
    }

    /// Sets how much room the device wants in front of packets.
    pub(crate) fn set_headroom(&self, room: u16) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_set_headroom(self.as_raw(), room) }
    }

    /// Returns how much room others leave for the device in front of packets.
    pub(crate) fn headroom(&self) -> u32 {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_headroom(self.as_raw()) }
    }

    /// Sets the hardware type of the device.
    pub(crate) fn set_type(&self, hw_type: u16) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_type(self.as_raw(), hw_type, false) }
    }

    /// Lets the device be a link no longer. Returns how many interfaces were unregistered when none
    /// was registered any more.
    pub(crate) fn end_together(&self) -> i32 {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_end_together(self.as_raw()) }
    }

    /// Sets the hardware type of the device, without telling anybody.
    pub(crate) fn set_type_quietly(&self, hw_type: u16) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_type(self.as_raw(), hw_type, true) }
    }

    /// Makes the modem hold its answers back; it sends the last one when this is switched off.
    pub(crate) fn set_silent(&self, silent: bool) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_silent(self.as_raw(), silent) }
    }

    /// Makes the device take one more packet, and then none.
    pub(crate) fn set_stopped(&self, stop: bool) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_stop(self.as_raw(), stop) }
    }

    /// Makes the modem send on all channels without end.
    pub(crate) fn set_storm(&self, on: bool) -> Result {
        // SAFETY: By the type invariant, the device is registered.
        to_result(unsafe { bindings::caif_kunit_link_storm(self.as_raw(), on) })
    }

    /// Returns the number of messages of a kind that the modem received.
    pub(crate) fn count(&self, what: What) -> i32 {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_count(self.as_raw(), what as c_uint) }
    }

    /// Makes the modem forget its channels, and assign the first ids again.
    pub(crate) fn restart_modem(&self) {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_restart_modem(self.as_raw()) }
    }

    /// Returns whether the modem has a channel of this id.
    pub(crate) fn has(&self, id: u8) -> bool {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_has(self.as_raw(), id) }
    }

    /// Waits until the modem received that many messages of a kind. Returns whether it received no
    /// more.
    pub(crate) fn gets(&self, what: What, count: i32, ms: u32) -> bool {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_wait(self.as_raw(), what as c_uint, count, ms) }
    }

    /// Waits until the modem received that many messages of a kind, or more.
    pub(crate) fn has_at_least(&self, what: What, count: i32, ms: u32) -> bool {
        self.gets(what, count, ms) || self.count(what) > count
    }

    /// Waits until the device has all that was sent, at most `ms` milliseconds.
    pub(crate) fn drains(&self, ms: u32) -> bool {
        // SAFETY: By the type invariant, the device is registered.
        unsafe { bindings::caif_kunit_link_drains(self.as_raw(), ms) }
    }

    /// Makes a socket for the modem's AT commands.
    pub(crate) fn socket() -> Result<Kernel> {
        Self::socket_for(AT)
    }

    /// Makes a socket of a protocol.
    pub(crate) fn socket_for(protocol: c_int) -> Result<Kernel> {
        Kernel::of(
            bindings::AF_CAIF as c_int,
            bindings::sock_type_SOCK_SEQPACKET,
            protocol,
        )
    }

    /// Connects a socket to the modem.
    pub(crate) fn connect(&self, socket: &Kernel, nonblock: bool) -> Result {
        // SAFETY: By the invariant of `Kernel`, the socket is open.
        to_result(unsafe {
            bindings::caif_kunit_caif_connect(socket.as_raw(), self.index(), nonblock)
        })
    }

    /// Makes a socket that is connected to the modem's AT commands.
    pub(crate) fn connected(&self) -> Result<Kernel> {
        self.connected_for(AT)
    }

    /// Makes a socket of a protocol that is connected.
    pub(crate) fn connected_for(&self, protocol: c_int) -> Result<Kernel> {
        let socket = Self::socket_for(protocol)?;
        self.connect(&socket, false)?;
        Ok(socket)
    }
}

impl Drop for FakeLink {
    fn drop(&mut self) {
        // SAFETY: By the type invariant, the device is registered, and not used any more.
        unsafe { bindings::caif_kunit_link_free(self.as_raw()) }
    }
}
