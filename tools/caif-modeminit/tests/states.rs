// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The states of modems, of what the kernel shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use caif_modeminit::{
    modems::{Action, FIRST_LOOK, GRACE, Link, Modems, SLOW, Snapshot},
    state::State,
};
use proptest::prelude::*;

/// A kernel and a clock.
struct World {
    modems: Modems,
    now: Instant,
    links: Vec<Link>,
    processors: BTreeMap<String, String>,
}

fn link(index: u32, name: &str, up: bool) -> Link {
    Link {
        index,
        name: name.to_owned(),
        up,
        carrier: up,
        processor: "remoteproc0".to_owned(),
        device: "rproc-virtio.0.auto".to_owned(),
    }
}

impl World {
    fn new(state: &str) -> Self {
        let mut world = Self {
            modems: Modems::default(),
            now: Instant::now(),
            links: Vec::new(),
            processors: BTreeMap::new(),
        };
        world.is(state);
        world
    }

    /// Returns one whose modem is ready.
    fn ready() -> Self {
        let mut world = Self::new("running");
        world.links = vec![link(2, "cfvrt0", true)];
        assert_eq!(world.told(), [State::Ready]);
        world
    }

    fn is(&mut self, state: &str) {
        self.processors
            .insert("remoteproc0".to_owned(), state.to_owned());
    }

    fn later(&mut self, time: Duration) {
        self.now += time;
    }

    fn look(&mut self) -> Vec<Action> {
        let snapshot = Snapshot {
            links: self.links.clone(),
            processors: self.processors.clone(),
            interfaces: Vec::new(),
        };
        self.modems.observe(&snapshot, self.now)
    }

    /// Looks, and returns the states that are told.
    fn told(&mut self) -> Vec<State> {
        let state = |action| match action {
            Action::Tell(serial, state) => {
                assert_eq!(serial, "remoteproc0");
                Some(state)
            }
            _ => None,
        };
        self.look().into_iter().filter_map(state).collect()
    }

    fn state(&self) -> State {
        self.modems.all()[0].state
    }
}

#[test]
fn a_link_that_appears_is_set_up_and_then_ready() {
    let mut world = World::new("offline");
    assert_eq!(world.look(), []);
    assert_eq!(world.modems.deadline(), None);
    world.links = vec![link(2, "cfvrt0", false)];
    assert_eq!(world.look(), [Action::SetUp(link(2, "cfvrt0", false))]);
    assert_eq!(world.state(), State::Booting);
    world.links = vec![link(2, "cfvrt0", true)];
    assert_eq!(world.told(), []);
    // The kernel does not tell that the processor is running.
    assert_eq!(world.modems.deadline(), Some(world.now + FIRST_LOOK));
    world.later(FIRST_LOOK);
    world.is("running");
    assert_eq!(world.told(), [State::Ready]);
    assert_eq!(world.modems.deadline(), None);
}

#[test]
fn a_crash_is_dumping_until_the_link_is_back() {
    let mut world = World::ready();
    world.is("crashed");
    assert_eq!(world.told(), [State::Dumping]);
    world.links.clear();
    assert_eq!(world.told(), []);
    assert!(world.modems.deadline().is_some());
    world.is("offline");
    assert_eq!(world.told(), []);
    world.later(GRACE - Duration::from_millis(1));
    assert_eq!(world.told(), []);
    world.links = vec![link(3, "cfvrt0", false)];
    assert_eq!(
        world.look(),
        [
            Action::SetUp(link(3, "cfvrt0", false)),
            Action::Tell("remoteproc0".to_owned(), State::Booting)
        ]
    );
    world.links = vec![link(3, "cfvrt0", true)];
    world.is("running");
    assert_eq!(world.told(), [State::Ready]);
}

#[test]
fn a_stop_is_off_at_once() {
    let mut world = World::ready();
    world.links.clear();
    assert_eq!(world.told(), [State::Booting]);
    world.is("offline");
    assert_eq!(world.told(), [State::Off]);
    assert_eq!(world.modems.deadline(), None);
    world.links = vec![link(4, "cfvrt0", true)];
    assert_eq!(world.told(), [State::Booting]);
    world.is("running");
    assert_eq!(world.told(), [State::Ready]);
}

#[test]
fn a_stop_that_was_not_seen_is_off_after_a_while() {
    let mut world = World::ready();
    world.links.clear();
    world.is("offline");
    assert_eq!(world.told(), [State::Dumping]);
    assert_eq!(world.modems.deadline(), Some(world.now + GRACE));
    world.later(GRACE);
    assert_eq!(world.told(), [State::Off]);
    assert_eq!(world.modems.deadline(), None);
}

#[test]
fn a_crash_without_recovery_is_dumping() {
    let mut world = World::ready();
    world.links[0].carrier = false;
    assert_eq!(world.told(), [State::Booting]);
    world.is("crashed");
    assert_eq!(world.told(), [State::Dumping]);
    // Recovery makes events.
    assert_eq!(world.modems.deadline(), None);
}

#[test]
fn a_processor_that_goes_is_off_and_forgotten() {
    let mut world = World::ready();
    world.links.clear();
    world.processors.clear();
    assert_eq!(world.told(), [State::Off]);
    assert!(world.modems.all().is_empty());
}

#[test]
fn a_link_that_is_set_down_by_hand_stays_down() {
    let mut world = World::ready();
    // The carrier is the modem's: it stays on.
    world.links[0].up = false;
    assert_eq!(
        world.look(),
        [Action::Tell("remoteproc0".to_owned(), State::Booting)]
    );
    assert_eq!(world.look(), []);
}

#[test]
fn a_renamed_link_is_the_same_modem() {
    let mut world = World::ready();
    world.links = vec![link(2, "modem", true)];
    assert_eq!(world.look(), []);
    assert_eq!(world.modems.all()[0].interface, "modem");
}

#[test]
fn a_running_processor_without_a_link_is_looked_at_for_a_while() {
    let mut world = World::ready();
    world.links.clear();
    assert_eq!(world.told(), [State::Booting]);
    let mut looks = 0;
    let begin = world.now;
    while let Some(at) = world.modems.deadline() {
        assert!(at > world.now, "it would not wait");
        world.now = at;
        looks += 1;
        assert!(looks < 20, "it goes on looking");
        for action in world.look() {
            assert!(matches!(action, Action::Slow(..)), "{action:?}");
        }
    }
    assert_eq!(world.now - begin, SLOW);
}

#[test]
fn it_is_said_once_that_a_modem_is_slow() {
    let mut world = World::new("running");
    world.links = vec![link(2, "cfvrt0", true)];
    world.links[0].carrier = false;
    assert_eq!(world.look(), []);
    assert_eq!(world.modems.deadline(), Some(world.now + SLOW));
    world.later(SLOW);
    let why = "its link cfvrt0 has no carrier, and remoteproc0 is running";
    assert_eq!(
        world.look(),
        [Action::Slow("remoteproc0".to_owned(), why.to_owned())]
    );
    world.later(SLOW);
    assert_eq!(world.look(), []);
    assert_eq!(world.modems.deadline(), None);
}

#[test]
fn links_of_one_processor_find_their_modems_again() {
    let mut world = World::new("running");
    let second = |index, name: &str| Link {
        device: "rproc-virtio.1.auto".to_owned(),
        ..link(index, name, true)
    };
    world.links = vec![link(2, "cfvrt0", true), second(3, "cfvrt1")];
    world.look();
    let serials = |world: &World| -> Vec<(String, String)> {
        let all = world.modems.all().iter();
        all.map(|one| (one.serial.clone(), one.interface.clone()))
            .collect()
    };
    let pair = |serial: &str, interface: &str| (serial.to_owned(), interface.to_owned());
    assert_eq!(
        serials(&world),
        [
            pair("remoteproc0", "cfvrt0"),
            pair("remoteproc0_1", "cfvrt1")
        ]
    );
    world.links.clear();
    world.look();
    // The other order, and with that the other names.
    world.links = vec![second(4, "cfvrt0"), link(5, "cfvrt1", true)];
    world.look();
    assert_eq!(
        serials(&world),
        [
            pair("remoteproc0", "cfvrt1"),
            pair("remoteproc0_1", "cfvrt0")
        ]
    );
}

#[derive(Clone, Debug)]
enum Step {
    Add { second: bool },
    Remove(usize),
    Up(usize, bool),
    Carrier(usize, bool),
    Rename(usize),
    State(bool, &'static str),
    Unregister(bool),
    Later(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let state = prop::sample::select(vec![
        "running",
        "crashed",
        "offline",
        "attached",
        "detached",
        "suspended",
        "invalid",
        "",
    ]);
    prop_oneof![
        3 => any::<bool>().prop_map(|second| Step::Add { second }),
        3 => (0..4_usize).prop_map(Step::Remove),
        3 => (0..4_usize, any::<bool>()).prop_map(|(at, up)| Step::Up(at, up)),
        3 => (0..4_usize, any::<bool>()).prop_map(|(at, on)| Step::Carrier(at, on)),
        1 => (0..4_usize).prop_map(Step::Rename),
        5 => (any::<bool>(), state).prop_map(|(second, state)| Step::State(second, state)),
        1 => any::<bool>().prop_map(Step::Unregister),
        3 => (0..20_000_u64).prop_map(Step::Later),
    ]
}

fn processor(second: bool) -> String {
    format!("remoteproc{}", u32::from(second))
}

proptest! {
    #[test]
    fn states_are_true_in_any_order_of_events(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new("offline");
        let (mut next, mut names) = (2, 0);
        let mut known: BTreeMap<String, State> = BTreeMap::new();
        let mut set_up = BTreeSet::new();
        for step in steps {
            match step {
                Step::Add { second } => {
                    world.links.push(Link {
                        processor: processor(second),
                        carrier: false,
                        ..link(next, &format!("cfvrt{next}"), false)
                    });
                    next += 1;
                }
                Step::Remove(at) if at < world.links.len() => drop(world.links.remove(at)),
                Step::Up(at, up) => world.links.iter_mut().skip(at).take(1).for_each(|l| l.up = up),
                Step::Carrier(at, on) => {
                    world.links.iter_mut().skip(at).take(1).for_each(|l| l.carrier = on);
                }
                Step::Rename(at) => {
                    names += 1;
                    let name = format!("name{names}");
                    world.links.iter_mut().skip(at).take(1).for_each(|l| l.name = name.clone());
                }
                Step::State(second, state) => {
                    world.processors.insert(processor(second), state.to_owned());
                }
                Step::Unregister(second) => drop(world.processors.remove(&processor(second))),
                Step::Later(time) => world.later(Duration::from_millis(time)),
                Step::Remove(_) => {}
            }
            let before: Vec<String> = known.keys().cloned().collect();
            for action in world.look() {
                match action {
                    Action::SetUp(link) => {
                        prop_assert!(!link.up);
                        prop_assert!(set_up.insert(link.index), "set up twice");
                    }
                    Action::Tell(serial, state) => {
                        let old = known.insert(serial, state).unwrap_or(State::Booting);
                        prop_assert_ne!(old, state);
                    }
                    Action::Slow(serial, _) => prop_assert!(!serial.is_empty()),
                }
            }
            // Each link is of one modem, and each modem has a name of its own.
            let all = world.modems.all();
            for link in &world.links {
                let of_it = all.iter().filter(|one| one.interface == link.name);
                prop_assert_eq!(of_it.count(), 1);
            }
            let serials: BTreeSet<_> = all.iter().map(|one| &one.serial).collect();
            prop_assert_eq!(serials.len(), all.len());
            for modem in all {
                // What is shown is what was told.
                let told = known.entry(modem.serial.clone()).or_insert(State::Booting);
                prop_assert_eq!(*told, modem.state);
                let name: String = modem.serial.chars().take("remoteprocN".len()).collect();
                let state = world.processors.get(&name).map_or("gone", String::as_str);
                let link = world.links.iter().find(|link| link.name == modem.interface);
                let runs = matches!(state, "running" | "attached");
                let usable = link.is_some_and(|link| link.up && link.carrier);
                prop_assert_eq!(modem.state == State::Ready, runs && usable);
                if modem.state == State::Off {
                    prop_assert!(link.is_none() && matches!(state, "offline" | "detached"));
                }
                if state == "crashed" {
                    prop_assert_eq!(modem.state, State::Dumping);
                }
            }
            // One that is known is forgotten with its processor, not before.
            for serial in before {
                let name: String = serial.chars().take("remoteprocN".len()).collect();
                if !serials.contains(&serial) {
                    prop_assert!(!world.processors.contains_key(&name));
                    prop_assert_eq!(known.remove(&serial), Some(State::Off));
                }
            }
            let at = world.modems.deadline();
            prop_assert!(at.is_none_or(|at| at > world.now), "it would not wait");
        }
        // Whatever is stopped is off in the end.
        world.links.clear();
        for second in [false, true] {
            world.processors.insert(processor(second), "offline".to_owned());
        }
        world.look();
        world.later(GRACE);
        world.look();
        prop_assert!(world.modems.all().iter().all(|one| one.state == State::Off));
        prop_assert_eq!(world.modems.deadline(), None);
    }
}
