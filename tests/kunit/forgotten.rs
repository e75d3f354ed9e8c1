// SPDX-License-Identifier: GPL-2.0

//! What the module registers and never ends by itself. It ends with the module: what would call it
//! afterwards goes on in `init`.

use crate::abstractions::{
    deferred::{
        new_deferred,
        Deferred,
        Task, //
    },
    net::{
        netdev::{
            NetId,
            Netdev,
            Rtnl, //
        },
        notifier::{
            Listener,
            NetdevEvent,
            Notifier, //
        },
        proc::{
            NetFile,
            NetFiles, //
        }, //
    },
    rcu::{
        RcuArc,
        RcuSlot, //
    }, //
};
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::rcu, //
};

/// Milliseconds from a run of the task to the next.
const AGAIN_MS: u32 = 10;

// Static items are never dropped.
static TASK: RcuSlot<Deferred<Again>> = RcuSlot::new();
static NOTIFIER: RcuSlot<Notifier<Deaf>> = RcuSlot::new();
static FILES: RcuSlot<NetFiles<Short>> = RcuSlot::new();

/// A task that runs again and again.
struct Again;

impl Task for Again {
    fn run(&self) {
        let guard = rcu::read_lock();
        if let Some(task) = TASK.load(&guard) {
            task.schedule(AGAIN_MS);
        }
    }
}

/// A listener that does nothing.
struct Deaf;

impl Listener for Deaf {
    fn event(&self, _event: NetdevEvent, _dev: &Netdev, _rtnl: &Rtnl<'_>) {}
}

/// A file of one line.
struct Short;

impl NetFile for Short {
    const NAME: &'static CStr = c"caif_kunit";

    fn show(_net: NetId, file: &SeqFile) -> Result {
        seq_print!(file, "there\n");
        Ok(())
    }
}

/// Registers a task, a listener and a file that nothing but the end of the module ends.
pub(crate) fn forget() -> Result {
    let task = new_deferred!(Again, c"kunit_again")?;
    TASK.publish(RcuArc::pin_init(task, GFP_KERNEL)?);
    if let Some(task) = TASK.get() {
        task.schedule(AGAIN_MS);
    }
    NOTIFIER.publish(RcuArc::pin_init(Notifier::new(Deaf)?, GFP_KERNEL)?);
    FILES.publish(RcuArc::pin_init(NetFiles::new()?, GFP_KERNEL)?);
    Ok(())
}
