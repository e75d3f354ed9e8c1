// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The state that all terminals of a modem share.

use std::time::Instant;

use crate::action::Action;
use crate::contexts::{Context, Contexts};
use crate::events::Event;
use crate::failure::{Cme, Failure};
use crate::messages::{CAPACITY, Message};
use crate::network::Network;
use crate::order::Order;
use crate::registration::{Domains, Registration};
use crate::scenario::Trigger;
use crate::sim::{Sim, SimState};

/// Level of functionality: `<fun>` of +CFUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Functionality {
    Minimum,
    Full,
    Flight,
}

/// The side that ended a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Network,
    Terminal,
}

/// The state of a modem.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) network: Network,
    pub(crate) functionality: Functionality,
    pub(crate) sim: Sim,
    pub(crate) registration: Registration,
    pub(crate) contexts: Contexts,
    /// The context of *ENAP.
    pub(crate) enap: Option<u8>,
    /// Messages, by their positions on the SIM.
    pub(crate) messages: Vec<Option<Message>>,
    /// The latest time that was passed; `None` until the modem is switched on.
    now: Option<Instant>,
    /// The modem has crashed and does nothing until it is switched on again.
    pub(crate) dead: bool,
    events: Vec<Event>,
    orders: Vec<Order>,
    /// The state that terminals were told.
    told: (Domains, SimState, u8),
}

impl State {
    pub(crate) fn new(network: Network) -> Self {
        let sim = Sim::new(network.pin.as_deref());
        Self {
            messages: stored(&network.messages),
            now: None,
            dead: false,
            told: (Domains::default(), sim.state(), network.bars()),
            sim,
            network,
            functionality: Functionality::Full,
            registration: Registration::new(),
            contexts: Contexts::default(),
            enap: None,
            events: Vec::new(),
            orders: Vec::new(),
        }
    }

    /// Switches the modem off and on. What is not its own stays: the SIM, and what the network
    /// answers.
    pub(crate) fn power_cycle(&mut self) {
        for cid in self.contexts.active() {
            self.contexts.deactivate(cid, &mut self.network);
        }
        let offer = self.registration.offer;
        self.registration = Registration::new();
        self.registration.offer = offer;
        self.contexts = Contexts::default();
        self.enap = None;
        self.functionality = Functionality::Full;
        self.sim.power_cycle();
        self.network.script.forget_due();
        self.now = None;
        self.dead = false;
        self.events.clear();
        self.orders.clear();
        self.told = (Domains::default(), self.sim.state(), self.network.bars());
    }

    /// Draws the conclusions of a change, or of the time.
    pub(crate) fn update(&mut self, now: Instant) {
        if self.now.replace(now).is_none() {
            self.network.script.happened(&Trigger::Start, now);
        }
        self.conclude(now);
        // What happens may be what other steps wait for. Each step is done once, so this ends.
        loop {
            let actions = self.network.script.due(now);
            if actions.is_empty() || self.dead {
                break;
            }
            for action in actions {
                self.happen(action);
                self.conclude(now);
            }
        }
    }

    /// Returns when to call [`update`](Self::update) again.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.dead {
            return None;
        }
        let registration = self.registration.due();
        registration
            .into_iter()
            .chain(self.network.script.next())
            .min()
    }

    /// Tells the scenario of a command. Returns the actions in its place.
    pub(crate) fn before_command(&mut self, text: &str, now: Instant) -> Vec<Action> {
        let command = Trigger::Command(text.to_ascii_uppercase());
        self.network.script.happened(&command, now)
    }

    /// Does an action that a test requests.
    pub(crate) fn act(&mut self, action: Action) -> Result<(), Failure> {
        if matches!(action, Action::Fail(_) | Action::Silence) {
            return Err(Cme::BadParameters.into());
        }
        if let Some(now) = self.now {
            self.network.script.add(action, now);
        }
        Ok(())
    }

    /// Applies an action to the modem.
    pub(crate) fn happen(&mut self, action: Action) {
        match action {
            Action::Drop(cid) => self.deactivate(cid, By::Network),
            Action::Detach => {
                for cid in self.contexts.active() {
                    self.deactivate(cid, By::Network);
                }
                if self.registration.is_attached() {
                    self.events.push(Event::Detached);
                }
                self.registration.attach_wanted = false;
            }
            Action::Network(offer) => self.registration.offer = offer,
            Action::Sim(present) => {
                self.sim.present = present;
                self.sim.power_cycle();
            }
            Action::Signal(signal) => self.network.signal = signal,
            Action::Message(message) => self.store(message),
            Action::Say(line) => self.events.push(Event::Say(line)),
            // These have a meaning only in the place of a command.
            Action::Fail(_) | Action::Silence => {}
            Action::Crash => self.die(Order::Crash),
            Action::Die => self.die(Order::Die),
        }
    }

    fn die(&mut self, order: Order) {
        self.dead = true;
        self.orders.push(order);
    }

    /// Stores a message, which is lost if there is no room for it.
    fn store(&mut self, message: Message) {
        let mut slots = self.messages.iter_mut().enumerate();
        if let Some((index, slot)) = slots.find(|(_, slot)| slot.is_none()) {
            *slot = Some(message);
            self.events.push(Event::Message(index.saturating_add(1)));
        }
    }

    fn conclude(&mut self, now: Instant) {
        let sim = self.sim.state();
        let radio = self.functionality == Functionality::Full && sim == SimState::Ready;
        self.registration
            .update(radio, self.network.registration_time, now);
        if !self.registration.is_attached() {
            let by = if radio && self.registration.wanted && self.registration.attach_wanted {
                By::Network
            } else {
                By::Terminal
            };
            let active = self.contexts.active();
            active.iter().for_each(|cid| self.deactivate(*cid, by));
        }
        let news = (self.registration.domains(), sim, self.network.bars());
        if news.0 != self.told.0 {
            self.events.push(Event::Registration(self.told.0, news.0));
            if news.0.cs.is_registered() && !self.told.0.cs.is_registered() {
                self.network.script.happened(&Trigger::Registered, now);
            }
        }
        if news.1 != self.told.1 {
            self.events.push(Event::Sim(crate::commands::esimsr(sim)));
        }
        if news.2 != self.told.2 {
            self.events.push(Event::Signal(news.2));
        }
        self.told = news;
    }

    /// Fails unless contexts can be activated.
    pub(crate) fn attached(&self) -> Result<(), Failure> {
        self.sim.ready()?;
        if self.registration.is_attached() {
            Ok(())
        } else {
            Err(Cme::NoService.into())
        }
    }

    /// Activates a context on a connection id.
    pub(crate) fn activate(&mut self, cid: u8, connection: u32) -> Result<(), Failure> {
        self.attached()?;
        if self.contexts.activate(cid, connection, &mut self.network)? {
            self.orders.push(Order::Bearer(connection));
            if let Some(now) = self.now {
                self.network.script.happened(&Trigger::Activated, now);
            }
        }
        Ok(())
    }

    /// Deactivates a context, if it is active.
    pub(crate) fn deactivate(&mut self, cid: u8, by: By) {
        let shown = self.contexts.get(cid).map(|context| shown(cid, context));
        let Some(active) = self.contexts.deactivate(cid, &mut self.network) else {
            return;
        };
        self.orders.push(Order::Bearer(active.connection));
        if by == By::Network {
            self.events.extend(shown.map(Event::ContextLost));
        }
        if self.enap == Some(cid) {
            self.set_enap(None);
        }
    }

    /// Sets the context of *ENAP, and tells who asked for it.
    pub(crate) fn set_enap(&mut self, cid: Option<u8>) {
        if self.enap != cid {
            self.enap = cid;
            self.events.push(Event::Bearer(cid.is_some()));
        }
    }

    pub(crate) fn order(&mut self, order: Order) {
        self.orders.push(order);
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(crate) fn orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }
}

/// Returns messages in their positions.
fn stored(messages: &[Message]) -> Vec<Option<Message>> {
    let mut slots: Vec<_> = messages.iter().cloned().map(Some).collect();
    slots.resize(CAPACITY, None);
    slots
}

/// Returns a context as +CGEV shows it.
fn shown(cid: u8, context: &Context) -> String {
    let address = context.address();
    format!("\"{}\",\"{address}\",{cid}", context.kind.name())
}
