// SPDX-License-Identifier: GPL-2.0

//! Suite: events of network devices, on which the stack's links depend.

use crate::{
    abstractions::{
        bindings,
        net::{
            netdev::{
                Netdev,
                Rtnl, //
            },
            notifier::{
                Listener,
                NetdevEvent,
                Notifier, //
            }, //
        }, //
    },
    interfaces::Interface,
    links::{
        FakeLink,
        LastInChain,
        CAIF,
        ETHER, //
    }, //
};
use core::mem;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// The events that a listener was told of, with the numbers of their devices.
#[pin_data]
struct Told {
    #[pin]
    events: Mutex<KVec<(NetdevEvent, u32)>>,
}

impl Told {
    /// Returns the events of some devices, and forgets all.
    fn take(&self, devices: &[u32]) -> KVec<(NetdevEvent, u32)> {
        let mut events = mem::take(&mut *self.events.lock());
        events.retain(|(_, device)| devices.contains(device));
        events
    }
}

impl Listener for Arc<Told> {
    fn event(&self, event: NetdevEvent, dev: &Netdev, _rtnl: &Rtnl<'_>) {
        // Without memory the case fails.
        let _ = self.events.lock().push((event, dev.index()), GFP_KERNEL);
    }
}

#[kernel::macros::kunit_tests(caif_stack_events)]
mod tests {
    use super::*;

    /// The stack keeps no event from those who come after it, also if it cannot do what it should:
    /// the interface does not fit the link any more, and the device is a link no longer.
    #[test]
    fn events_that_others_see() -> Result {
        let last = LastInChain::new()?;
        check!(LastInChain::new().is_err(), "there are two");
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        link.set_mtu(20)?;
        // The stack unregisters it.
        mem::forget(interface);
        link.set_type(ETHER);
        link.set_type(CAIF);
        link.set_up(false)?;
        link.set_up(true)?;
        drop(link);
        for (event, count) in [
            (bindings::netdev_cmd_NETDEV_REGISTER, 1),
            (bindings::netdev_cmd_NETDEV_UP, 2),
            (bindings::netdev_cmd_NETDEV_CHANGEMTU, 1),
            (bindings::netdev_cmd_NETDEV_PRE_TYPE_CHANGE, 2),
            (bindings::netdev_cmd_NETDEV_POST_TYPE_CHANGE, 2),
            (bindings::netdev_cmd_NETDEV_GOING_DOWN, 2),
            (bindings::netdev_cmd_NETDEV_DOWN, 2),
            (bindings::netdev_cmd_NETDEV_UNREGISTER, 1),
        ] {
            let seen = last.seen(event);
            check!(seen == count, "event {event}: {seen} of {count}");
        }
        Ok(())
    }

    /// A listener knows the devices that were there before it, and is told that they go when it
    /// ends.
    #[test]
    fn links_that_were_there_before() -> Result {
        let (up, down) = (FakeLink::new(8)?, FakeLink::new(8)?);
        down.set_up(false)?;
        let [up, down] = [&up, &down].map(|link| link.index() as u32);
        let told = Arc::pin_init(
            pin_init!(Told {
                events <- new_mutex!(KVec::new()),
            }),
            GFP_KERNEL,
        )?;
        let notifier = Notifier::new(told.clone())?;
        let begin = [
            (NetdevEvent::Register, up),
            (NetdevEvent::Up, up),
            (NetdevEvent::Register, down),
        ];
        check!(told.take(&[up, down])[..] == begin, "at its beginning");
        drop(notifier);
        let end = [
            (NetdevEvent::GoingDown, up),
            (NetdevEvent::State, up),
            (NetdevEvent::Unregister, up),
            (NetdevEvent::Unregister, down),
        ];
        check!(told.take(&[up, down])[..] == end, "at its end");
        Ok(())
    }
}
