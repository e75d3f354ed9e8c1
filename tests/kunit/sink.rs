// SPDX-License-Identifier: GPL-2.0

//! A protocol that keeps the CAIF packets that the network devices of one modem deliver.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use crate::{
    abstractions::event::Event,
    bindings,
    fake::{
        Fake,
        TIMEOUT_MS, //
    },
    scope::Point, //
};
use core::{
    marker::PhantomData,
    ptr::from_ref, //
};
use kernel::{
    device,
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// Packets that arrived from a modem, by any of its network devices.
#[pin_data(PinnedDrop)]
pub(crate) struct Sink<'a> {
    #[pin]
    protocol: Opaque<bindings::packet_type>,
    #[pin]
    queue: Opaque<bindings::sk_buff_head>,
    #[pin]
    event: Event,
    arrival: Point,
    ancestor: *const bindings::device,
    _phantom: PhantomData<&'a ()>,
}

impl<'a> Sink<'a> {
    /// Starts to keep packets of the modem.
    pub(crate) fn new(fake: &'a Fake) -> Result<Pin<KBox<Self>>> {
        let rproc: &device::Device = (**fake.rproc()).as_ref();
        let this = KBox::pin_init(
            pin_init!(Self {
                protocol <- Opaque::zeroed(),
                // SAFETY: The place is valid for a list.
                queue <- Opaque::ffi_init(|list| unsafe {
                    bindings::caif_kunit_skb_queue_head_init(list)
                }),
                event <- Event::new(),
                arrival: Point::unused(),
                ancestor: from_ref(rproc).cast(),
                _phantom: PhantomData,
            }),
            GFP_KERNEL,
        )?;
        let protocol = this.protocol.get();
        // SAFETY: The structure is zeroed, and nobody else knows it yet.
        let raw = unsafe { &mut *protocol };
        raw.type_ = (bindings::ETH_P_CAIF as u16).to_be();
        raw.func = Some(receive);
        // SAFETY: The protocol is complete, and stays until it is removed on drop.
        unsafe { bindings::dev_add_pack(protocol) };
        Ok(this)
    }

    /// Returns the point at which a packet arrives. Its function runs before the packet can be
    /// taken.
    pub(crate) fn arrival(&self) -> &Point {
        &self.arrival
    }

    /// Returns the number of packets that were not taken yet.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: The list is initialized; only the address of a part of it is taken.
        let len = unsafe { &raw const (*self.queue.get()).qlen };
        // SAFETY: The pointer is to a part of an initialized list; the count changes at any time.
        unsafe { len.read_volatile() as usize }
    }

    /// Returns whether there are no packets.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until there are as many packets. Returns whether there are.
    pub(crate) fn wait(&self, packets: usize) -> bool {
        loop {
            self.event.reset();
            if self.len() >= packets {
                return true;
            }
            if !self.event.wait(TIMEOUT_MS) {
                return self.len() >= packets;
            }
        }
    }

    /// Takes the oldest packet.
    fn take(&self) -> Result<KVec<u8>> {
        // SAFETY: The list is initialized.
        let skb = unsafe { bindings::skb_dequeue(self.queue.get()) };
        check!(!skb.is_null(), "a packet is missing");
        // SAFETY: The socket buffer was in the list, and now is ours.
        let len = unsafe { (*skb).len };
        let bytes = KVec::from_elem(0, len as usize, GFP_KERNEL).map_err(Error::from);
        let bytes = bytes.and_then(|mut bytes| {
            let to = bytes.as_mut_ptr().cast();
            // SAFETY: The socket buffer is valid, and the vector has as many bytes.
            to_result(unsafe { bindings::skb_copy_bits(skb, 0, to, len as c_int) })?;
            Ok(bytes)
        });
        // SAFETY: The socket buffer is ours.
        unsafe { bindings::caif_kunit_consume_skb(skb) };
        bytes
    }

    /// Waits for packets and checks that these frames are the oldest.
    pub(crate) fn expect(&self, frames: &[KVec<u8>]) -> Result {
        check!(
            self.wait(frames.len()),
            "{} of {} frames arrived",
            self.len(),
            frames.len()
        );
        for frame in frames {
            let packet = self.take()?;
            check_eq!(packet.len(), frame.len(), "length of a packet");
            for (i, (found, wanted)) in packet.iter().zip(frame).enumerate() {
                check!(
                    found == wanted,
                    "byte {i} of a packet: found {found:#x}, wanted {wanted:#x}"
                );
            }
        }
        Ok(())
    }
}

#[pinned_drop]
impl PinnedDrop for Sink<'_> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: The protocol was added.
        unsafe { bindings::dev_remove_pack(self.protocol.get()) };
        loop {
            // SAFETY: The list is initialized, and nobody adds to it any more.
            let skb = unsafe { bindings::skb_dequeue(self.queue.get()) };
            if skb.is_null() {
                break;
            }
            // SAFETY: The socket buffer was in the list, and now is ours.
            unsafe { bindings::caif_kunit_consume_skb(skb) };
        }
    }
}

/// Takes a packet. Called in a softirq.
extern "C" fn receive(
    skb: *mut bindings::sk_buff,
    dev: *mut bindings::net_device,
    protocol: *mut bindings::packet_type,
    _orig_dev: *mut bindings::net_device,
) -> c_int {
    // SAFETY: The protocol is the field of a `Sink`, which removes it before it goes.
    let sink: *const Sink<'_> =
        unsafe { kernel::container_of!(Opaque::cast_from(protocol), Sink<'_>, protocol) };
    // SAFETY: It is the `Sink` of the protocol, which is not removed before this function has
    // returned; there are only shared references to it.
    let sink = unsafe { &*sink };
    // SAFETY: The device delivers a packet, hence it is valid.
    let parent = unsafe { (*dev).dev.parent };
    // SAFETY: Both are valid devices, and the first one's ancestors are, too.
    if !unsafe { bindings::caif_kunit_is_below(parent, sink.ancestor) } {
        // SAFETY: The socket buffer is handed over to us.
        unsafe { bindings::caif_kunit_consume_skb(skb) };
        return 0;
    }
    sink.arrival.run();
    // SAFETY: The list is initialized, and the socket buffer is handed over to us.
    unsafe { bindings::caif_kunit_skb_keep(sink.queue.get(), skb) };
    sink.event.set();
    0
}
