// SPDX-License-Identifier: GPL-2.0

//! Interfaces that wait for RTNL to ask for a channel.
//!
//! Who unregisters an interface holds RTNL and waits for the end of the interface's own task, which
//! must not wait for RTNL therefore. It hands the interface to a task of the module, which takes
//! its turn like everybody: one that only tried might be kept from RTNL for ever.

use super::Interface;
use crate::abstractions::{
    deferred::{
        new_deferred,
        Deferred,
        Task, //
    },
    net::netdev::Rtnl,
    rcu::{
        RcuArc,
        RcuSlot, //
    }, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

struct Waiting {
    interfaces: KVVec<RcuArc<Interface>>,
    /// `None` once the module is being removed.
    task: Option<Deferred<Turn>>,
}

/// The interfaces that wait.
#[pin_data]
struct Turns {
    #[pin]
    waiting: Mutex<Waiting>,
}

/// The interfaces that wait, while the module is loaded.
static TURNS: RcuSlot<Turns> = RcuSlot::new();

/// Lets interfaces have turns until it is dropped, which waits for the one that has its turn: in
/// process context, without RTNL.
pub(crate) struct OpenTurns(());

/// Begins to let interfaces have turns. Process context: may sleep.
pub(crate) fn open() -> Result<OpenTurns> {
    let waiting = Waiting {
        interfaces: KVVec::new(),
        task: Some(new_deferred!(Turn, c"caif_turn")?),
    };
    let turns = RcuArc::pin_init(
        pin_init!(Turns {
            waiting <- new_mutex!(waiting, "caif_turns"),
        }),
        GFP_KERNEL,
    )?;
    TURNS.publish(turns);
    Ok(OpenTurns(()))
}

impl Drop for OpenTurns {
    fn drop(&mut self) {
        let Some(turns) = TURNS.take() else { return };
        // Waits for the task, which takes the lock.
        let task = turns.waiting.lock().task.take();
        drop(task);
        let left = core::mem::take(&mut turns.waiting.lock().interfaces);
        drop(left);
    }
}

/// Lets an interface ask for a channel, with RTNL. Process context: may sleep.
pub(super) fn wait(interface: RcuArc<Interface>) -> Result {
    let turns = TURNS.get().ok_or(ENODEV)?;
    let mut waiting = turns.waiting.lock();
    waiting.interfaces.push(interface, GFP_KERNEL)?;
    if let Some(task) = &waiting.task {
        task.schedule(0);
    }
    Ok(())
}

/// The task of the module.
struct Turn;

impl Task for Turn {
    fn run(&self) {
        let Some(turns) = TURNS.get() else { return };
        let interfaces = core::mem::take(&mut turns.waiting.lock().interfaces);
        for interface in interfaces {
            // Others may have RTNL in between.
            interface.ask_again(Rtnl::lock().rtnl());
        }
    }
}
