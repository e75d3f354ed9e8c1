// SPDX-License-Identifier: GPL-2.0

//! Interfaces that wait for RTNL to ask for a channel.
//!
//! Unregistering an interface waits, with RTNL held, for the end of the interface's own task, so
//! that this must not wait for RTNL. It hands the interface to a task of the module, which does.
//! Tries of `rtnl_trylock()` instead could fail for ever while others use RTNL a lot.

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

/// Serves waiting interfaces until it is dropped, which waits for the one that is being served: in
/// process context, without RTNL.
pub(crate) struct OpenTurns(());

/// Starts to serve interfaces that wait. Process context: may sleep.
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

/// Lets an interface ask for a channel, with RTNL. Does nothing if it waits already: whoever sets
/// its link down and up again and again must not make the list longer. Process context: may sleep.
pub(super) fn wait(interface: &RcuArc<Interface>) -> Result {
    let turns = TURNS.get().ok_or(ENODEV)?;
    if !interface.begin_turn() {
        return Ok(());
    }
    let mut waiting = turns.waiting.lock();
    if let Err(error) = waiting.interfaces.push(interface.clone(), GFP_KERNEL) {
        drop(waiting);
        let _ = interface.end_turn();
        return Err(error.into());
    }
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
            // From here on it is put into the list again: what changes now may come too late for
            // this turn.
            if interface.end_turn() {
                // RTNL is released after each one, for others to take it.
                interface.ask_again(Rtnl::lock().rtnl());
            }
        }
    }
}
