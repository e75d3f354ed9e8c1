// SPDX-License-Identifier: GPL-2.0

//! Notifications between the two sides, when each is a thread.

use std::sync::mpsc::{sync_channel, Receiver, SyncSender};
use std::time::Duration;

/// Far longer than a wake-up takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Notifies the other side. Notifications that come together are one.
pub struct Bell(SyncSender<()>);

/// The other side of a [`Bell`], which sleeps.
pub struct Sleeper(Receiver<()>);

/// Returns the two ends of a notification.
pub fn bell() -> (Bell, Sleeper) {
    let (send, receive) = sync_channel(1);
    (Bell(send), Sleeper(receive))
}

impl Bell {
    /// Notifies the other end.
    pub fn ring(&self) {
        // A pending notification is enough, and a side that ended needs none.
        let _ = self.0.try_send(());
    }
}

impl Sleeper {
    /// Sleeps until notified. Fails the test if that does not happen.
    pub fn sleep(&self, who: &str, done: u64) {
        if self.0.recv_timeout(PATIENCE).is_err() {
            panic!("{who} was not notified after {done} chains");
        }
    }
}
