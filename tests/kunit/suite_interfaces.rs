// SPDX-License-Identifier: GPL-2.0

//! Suite: interfaces of the stack.

use crate::{
    abstractions::bindings,
    control::pass_time,
    fake::TIMEOUT_MS,
    interfaces::Interface,
    links::{
        BusyRtnl,
        FakeLink,
        What,
        CAIF,
        ETHER,
        FIRST, //
    }, //
};
use core::mem;
use kernel::prelude::*;

const HUP: u32 = bindings::HELPER_EPOLLHUP;

#[kernel::macros::kunit_tests(caif_stack_interfaces)]
mod tests {
    use super::*;

    /// An interface whose modem refuses does not ask again because of another link.
    #[test]
    fn link_of_others() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        check!(link.gets(What::Setups, 1, TIMEOUT_MS), "set-ups");
        link.set_refusing(true);
        link.set_up(false)?;
        link.set_up(true)?;
        // At once, and after 0.5 and 1 second more. The next one is after 2 seconds.
        check!(link.gets(What::Setups, 4, TIMEOUT_MS), "set-ups");
        let _other = FakeLink::new(8)?;
        pass_time(700);
        check_eq!(link.count(What::Setups), 4, "set-ups after that");
        Ok(())
    }

    /// A device of the type of links that is none has no interfaces, as nothing would end them.
    #[test]
    fn lower_device_that_is_no_link() -> Result {
        let link = FakeLink::new(8)?;
        link.set_type(ETHER);
        link.set_type_quietly(CAIF);
        check!(Interface::new(&link).is_err(), "it was made");
        // It becomes a link when it is set up.
        link.set_up(false)?;
        link.set_up(true)?;
        let interface = Interface::new(&link)?;
        interface.set_up()
    }

    /// A link that has one queue must not be told of the others of an interface: drivers index by
    /// them.
    #[test]
    fn packets_of_several_queues() -> Result {
        const QUEUES: u32 = 4;
        let link = FakeLink::new(8)?;
        let interface = Interface::with_queues(&link, QUEUES)?;
        interface.set_up()?;
        for queue in 0..QUEUES {
            interface.send(queue)?;
        }
        check_eq!(link.count(What::Frames), QUEUES as i32, "frames");
        check_eq!(
            link.count(What::Strays),
            0,
            "of a queue that the link does not have"
        );
        Ok(())
    }

    /// A modem that went and came back before anybody looked knows nothing of the channel.
    #[test]
    fn carrier_that_is_lost_for_a_moment() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        let socket = link.connected()?;
        let setups = link.count(What::Setups);
        link.flap();
        check!(link.gets(What::Setups, setups + 1, TIMEOUT_MS), "set-ups");
        check_eq!(socket.events() & HUP, HUP, "events");
        // They may be of the modem's new life.
        check_eq!(
            link.count(What::Destroys),
            2,
            "channels that were given back"
        );
        Ok(())
    }

    /// Who keeps RTNL busy does not keep an interface from it.
    #[test]
    fn interface_that_waits_for_its_turn() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        let _busy = BusyRtnl::new()?;
        for setups in 2..5 {
            link.flap();
            check!(link.gets(What::Setups, setups, TIMEOUT_MS), "set-ups");
        }
        Ok(())
    }

    /// Whoever restarts a link again and again while RTNL is busy makes an interface wait for one
    /// turn, not for many.
    #[test]
    fn interface_that_waits_already() -> Result {
        const RESTARTS: u32 = 16;
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        link.set_refusing(true);
        let before = link.count(What::Setups);
        interface.restart_link(RESTARTS)?;
        // At once, and after 0.5 and 1 second more.
        check!(
            link.has_at_least(What::Setups, before + 1, TIMEOUT_MS),
            "set-ups"
        );
        pass_time(200);
        let asked = link.count(What::Setups) - before;
        check!(asked <= 3, "it asked {asked} times");
        Ok(())
    }

    /// Who unregisters an interface has RTNL and waits for its task.
    #[test]
    fn interface_that_goes_while_it_waits() -> Result {
        let link = FakeLink::new(8)?;
        for _ in 0..3 {
            let interface = Interface::new(&link)?;
            interface.set_up()?;
            interface.end_with_restart()?;
        }
        Ok(())
    }

    /// They are stopped and woken in one go.
    #[test]
    fn more_queues_than_are_allowed() -> Result {
        let link = FakeLink::new(8)?;
        drop(Interface::with_queues(&link, 64)?);
        check!(Interface::with_queues(&link, 65).is_err(), "it was made");
        Ok(())
    }

    /// The modem stops and starts an interface, as many queues as it has.
    #[test]
    fn flow_of_several_queues() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::with_queues(&link, 4)?;
        interface.set_up()?;
        for _ in 0..2 {
            link.deliver(FIRST, &[0x81], 1)?;
            check_eq!(interface.stopped(), 4, "stopped");
            link.deliver(FIRST, &[0x80], 1)?;
            check_eq!(interface.stopped(), 0, "stopped");
        }
        Ok(())
    }

    /// An interface without a queueing discipline is not stopped, since the kernel logs what is
    /// sent by one that is. It drops what the modem does not want.
    #[test]
    fn flow_without_a_queue() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_no_queue();
        interface.set_up()?;
        link.deliver(FIRST, &[0x81], 1)?;
        check_eq!(interface.stopped(), 0, "stopped");
        interface.send(0)?;
        check_eq!(interface.dropped(), 1, "dropped");
        link.deliver(FIRST, &[0x80], 1)?;
        interface.send(0)?;
        check_eq!(interface.dropped(), 1, "dropped");
        check_eq!(link.count(What::Frames), 1, "frames");
        Ok(())
    }

    /// What such an interface sends on a link that is full is dropped: in the link's queue it would
    /// take the room of the channels that are stopped. A packet that was on its way out of a queue
    /// waits there.
    #[test]
    fn full_link_below_no_queue() -> Result {
        let link = FakeLink::new(32)?;
        let plain = Interface::new(&link)?;
        plain.set_no_queue();
        plain.set_up()?;
        let queued = Interface::new(&link)?;
        queued.set_up()?;
        link.set_stopped(true);
        let mut sent = 0;
        while plain.dropped() == 0 && sent < 32 {
            plain.send(0)?;
            sent += 1;
        }
        // A quarter of the queue, and the one that the device took.
        check!(sent <= 10, "{sent} packets were taken");
        check_eq!([plain.stopped(), queued.stopped()], [0, 1], "stopped");
        queued.send_late()?;
        check_eq!(queued.dropped(), 0, "dropped");
        // One that has got its discipline since is stopped when it sends.
        queued.set_new_queue();
        queued.send(0)?;
        check_eq!([queued.stopped(), queued.dropped()], [1, 0], "stopped");
        link.set_stopped(false);
        check!(link.gets(What::Frames, sent + 1, TIMEOUT_MS), "frames");
        Ok(())
    }

    /// Interfaces end with their link together, and not each after its own grace periods of RCU,
    /// for which RTNL would be held.
    #[test]
    fn interfaces_that_end_together() -> Result {
        const MANY: i32 = 5;
        let link = FakeLink::new(8)?;
        for _ in 0..MANY {
            // The stack unregisters it.
            mem::forget(Interface::new(&link)?);
        }
        check_eq!(
            link.end_together(),
            MANY,
            "interfaces that were gone before the first ended"
        );
        Ok(())
    }

    /// A device that is being unregistered does not become a link again when its interface is taken
    /// off it: it would wait for that link.
    #[test]
    fn link_that_goes_under_an_interface() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        interface.set_up()?;
        // The stack unregisters it.
        mem::forget(interface);
        FakeLink::left();
        drop(link);
        check_eq!(FakeLink::left(), 0, "it is a link");
        Ok(())
    }

    /// netpoll sends with interrupts disabled, which the stack's locks do not allow.
    #[test]
    fn interface_without_netpoll() -> Result {
        let link = FakeLink::new(8)?;
        let interface = Interface::new(&link)?;
        check!(!interface.has_netpoll(), "netpoll can send");
        Ok(())
    }
}
