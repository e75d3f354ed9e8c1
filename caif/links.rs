// SPDX-License-Identifier: GPL-2.0

//! All links of the machine: each network device of type `ARPHRD_CAIF`, in any namespace.
//!
//! A link is recognized by the device's type, which users can set for a tun device: private data of
//! devices are never accessed.

use crate::{
    abstractions::{
        bindings,
        net::{
            may_log,
            netdev::{
                NetId,
                Netdev,
                Rtnl, //
            },
            notifier::{
                Listener,
                NetdevEvent, //
            },
            packet_type::PacketType,
            unregistering::Unregistering, //
        },
        rcu::{
            RcuArc,
            RcuSlot, //
        }, //
    },
    caif_wire::params::LinkParams,
    channel::Client,
    link::{
        Link,
        Request, //
    },
    policy::{
        self,
        Candidate,
        Choice,
        Preference, //
    },
    transmit::PROTOCOL, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// The hardware type of devices that are links.
pub(crate) const HW_TYPE: u16 = bindings::ARPHRD_CAIF as u16;

/// A receiver of events of links. No lock of the links is held during a call.
pub(crate) trait Watcher: Send + Sync + 'static {
    /// Called when a link came up. Process context with RTNL held.
    fn link_up(&self, net: NetId, index: u32);

    /// Called when the MTU of a link changed. Process context with RTNL held.
    fn link_resized(&self, link: &Link, rtnl: &Rtnl<'_>);

    /// Called when the device of a link is unregistered; `with` takes devices that end with it.
    /// Process context with RTNL held.
    fn link_gone(&self, net: NetId, index: u32, rtnl: &Rtnl<'_>, with: &Unregistering<'_>);
}

struct Entry {
    link: Arc<Link>,
    _receiver: PacketType<Arc<Link>>,
}

/// All links.
#[pin_data]
pub(crate) struct Links {
    #[pin]
    entries: Mutex<KVVec<Entry>>,
    #[pin]
    watchers: Mutex<KVVec<Arc<dyn Watcher>>>,
}

/// The links, while the module is loaded.
static LINKS: RcuSlot<Links> = RcuSlot::new();

/// Removes the table of links when it is dropped. The notifier, which removes the last link, is
/// dropped first.
pub(crate) struct Published(());

impl Drop for Published {
    fn drop(&mut self) {
        drop(LINKS.take());
    }
}

impl Links {
    /// Publishes an empty table of links.
    pub(crate) fn publish() -> Result<(Published, RcuArc<Self>)> {
        let this = RcuArc::pin_init(
            pin_init!(Self {
                entries <- new_mutex!(KVVec::new(), "caif_links"),
                watchers <- new_mutex!(KVVec::new(), "caif_watchers"),
            }),
            GFP_KERNEL,
        )?;
        if !LINKS.publish(this.clone()) {
            return Err(EBUSY);
        }
        Ok((Published(()), this))
    }

    /// Returns the links. `ENODEV` if the module is being removed.
    pub(crate) fn get() -> Result<RcuArc<Self>> {
        LINKS.get().ok_or(ENODEV)
    }

    /// Returns the links of a namespace. Process context: may sleep.
    pub(crate) fn of(&self, net: NetId) -> Result<KVVec<Arc<Link>>> {
        let is_of = |entry: &&Entry| entry.link.net() == net;
        let most = self.entries.lock().iter().filter(is_of).count();
        // Users of a namespace can have many. Events of devices wait for the lock.
        let mut links = KVVec::with_capacity(most, GFP_KERNEL_ACCOUNT)?;
        let entries = self.entries.lock();
        for entry in entries.iter().filter(is_of) {
            if links.push_within_capacity(entry.link.clone()).is_err() {
                break;
            }
        }
        Ok(links)
    }

    /// Requests a channel of a modem in a namespace. The client is told the outcome within `ms`
    /// milliseconds. Process context: may sleep. `phyid` of the parameters is set here.
    ///
    /// `ENODEV` if there is no such link, or it is not up; for the rest see [`Link::ask`].
    pub(crate) fn connect(
        &self,
        net: NetId,
        choice: Choice,
        params: &LinkParams<'_>,
        ms: u32,
        client: Arc<dyn Client>,
    ) -> Result<Request> {
        let entries = self.entries.lock();
        let links = entries.iter().map(|entry| &entry.link);
        let links = links.filter(|link| link.net() == net);
        let candidates = links.clone().map(|link| Candidate {
            ifindex: link.index(),
            up: link.works(),
            // Devices do not say which kind of link they are.
            preference: Preference::HighBandwidth,
        });
        let chosen = policy::choose(candidates, choice)?;
        let link = links.clone().nth(chosen).cloned();
        drop(entries);
        link.ok_or(ENODEV)?.ask(params, ms, client)
    }

    /// Adds a watcher.
    pub(crate) fn watch(&self, watcher: Arc<dyn Watcher>, _rtnl: &Rtnl<'_>) -> Result {
        Ok(self.watchers.lock().push(watcher, GFP_KERNEL_ACCOUNT)?)
    }

    /// Removes a watcher.
    pub(crate) fn unwatch(&self, watcher: &Arc<dyn Watcher>, _rtnl: &Rtnl<'_>) {
        let mut watchers = self.watchers.lock();
        let index = watchers.iter().position(|w| Arc::ptr_eq(w, watcher));
        let removed = index.and_then(|index| watchers.remove(index).ok());
        drop(watchers);
        drop(removed);
    }

    /// Calls `f` for each watcher; `f` may remove it. With RTNL held no other task adds or removes
    /// watchers.
    fn tell(&self, _rtnl: &Rtnl<'_>, f: impl Fn(&dyn Watcher)) {
        let at = |index: usize| self.watchers.lock().get(index).cloned();
        let mut index = 0;
        while let Some(watcher) = at(index) {
            f(&*watcher);
            if at(index).is_some_and(|same| Arc::ptr_eq(&same, &watcher)) {
                index = index.saturating_add(1);
            }
        }
    }

    /// Returns whether a device is a link, which does not change while RTNL is held.
    pub(crate) fn has(&self, dev: &Netdev, _rtnl: &Rtnl<'_>) -> bool {
        self.find(dev).is_some()
    }

    /// Returns the link of a device.
    fn find(&self, dev: &Netdev) -> Option<Arc<Link>> {
        let (net, index) = (dev.net(), dev.index());
        let entries = self.entries.lock();
        let mut links = entries.iter().map(|entry| &entry.link);
        links
            .find(|link| link.net() == net && link.index() == index)
            .cloned()
    }

    /// Creates the link of a device, and registers its receive handler.
    ///
    /// Not part of [`event`](Listener::event), whose stack frames are nested.
    #[inline(never)]
    fn add(&self, dev: &Netdev, rtnl: &Rtnl<'_>) -> Result<Arc<Link>> {
        let net = dev.net();
        // With RTNL held no other task adds a link.
        let entries = self.entries.lock();
        let phyid = policy::phyid(dev.index(), |phyid| {
            let links = entries.iter().map(|entry| &entry.link);
            links
                .filter(|link| link.net() == net && link.phyid() == phyid)
                .count()
        });
        drop(entries);
        let link = Link::new(dev, phyid)?;
        let added = PacketType::new(dev, PROTOCOL, link.clone()).and_then(|receiver| {
            let entry = Entry {
                link: link.clone(),
                _receiver: receiver,
            };
            Ok(self.entries.lock().push(entry, GFP_KERNEL_ACCOUNT)?)
        });
        if let Err(error) = added {
            link.end(rtnl);
            return Err(error);
        }
        Ok(link)
    }

    /// Ends the link of a device.
    fn remove(&self, dev: &Netdev, rtnl: &Rtnl<'_>) {
        let (net, index) = (dev.net(), dev.index());
        let mut entries = self.entries.lock();
        let at = entries
            .iter()
            .position(|entry| entry.link.net() == net && entry.link.index() == index);
        let entry = at.and_then(|at| entries.remove(at).ok());
        drop(entries);
        let Some(entry) = entry else { return };
        entry.link.end(rtnl);
        // Waits for the receive handlers that are running.
        drop(entry);
        pin_init::stack_pin_init!(let with = Unregistering::new(rtnl));
        self.tell(rtnl, |watcher| watcher.link_gone(net, index, rtnl, &with));
    }

    /// Updates the state of the link of a device. One that is the port of another device does not
    /// work: that one, of the same type, is a link as well, and gets all packets.
    fn update(&self, link: &Link, dev: &Netdev, rtnl: &Rtnl<'_>) {
        if dev.is_port(rtnl) {
            return link.going_down(rtnl);
        }
        // A carrier that was lost and came back at once is one event, with the carrier on. The
        // modem may have assigned channels since then.
        if link.record_losses(dev.carrier_losses(), rtnl) && dev.works() {
            link.going_down(rtnl);
        }
        if link.set_works(dev.works(), rtnl) {
            self.tell(rtnl, |watcher| watcher.link_up(link.net(), link.index()));
        }
    }
}

impl Listener for RcuArc<Links> {
    fn event(&self, event: NetdevEvent, dev: &Netdev, rtnl: &Rtnl<'_>) {
        let link = self.find(dev);
        let is_caif = dev.hw_type() == HW_TYPE;
        match (event, link) {
            // One for which there was no memory gets another chance when it goes up.
            (NetdevEvent::Register | NetdevEvent::Type | NetdevEvent::Up, None) if is_caif => {
                match self.add(dev, rtnl) {
                    Ok(link) => self.update(&link, dev, rtnl),
                    // Rate-limited: users of a namespace can make many devices of this type.
                    Err(error) if may_log() => pr_warn!(
                        "network device {} is not used until it is set up again: error {}\n",
                        dev.index(),
                        error.to_errno()
                    ),
                    Err(_) => {}
                }
            }
            // Bonding may silently give a device its former type back. The interfaces of a link
            // cannot be unregistered while it goes down.
            (NetdevEvent::Type | NetdevEvent::Up, Some(_)) if !is_caif => self.remove(dev, rtnl),
            (NetdevEvent::Unregister, Some(_)) => self.remove(dev, rtnl),
            (NetdevEvent::GoingDown, Some(link)) => link.going_down(rtnl),
            (NetdevEvent::Mtu, Some(link)) => {
                self.tell(rtnl, |watcher| watcher.link_resized(&link, rtnl));
            }
            (NetdevEvent::Up, Some(link)) => {
                link.was_down(rtnl);
                self.update(&link, dev, rtnl);
            }
            (NetdevEvent::State, Some(link)) => self.update(&link, dev, rtnl),
            _ => {}
        }
    }
}
