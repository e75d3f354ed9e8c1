// SPDX-License-Identifier: GPL-2.0

//! Suite: interfaces of the stack.

use crate::{
    fake::TIMEOUT_MS,
    interfaces::Interface,
    links::{
        FakeLink,
        What, //
    }, //
};
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

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
        fsleep(Delta::from_millis(700));
        check_eq!(link.count(What::Setups), 4, "set-ups after that");
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
