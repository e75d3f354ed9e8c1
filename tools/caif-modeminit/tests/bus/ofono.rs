// SPDX-License-Identifier: GPL-2.0 OR MIT

//! oFono, as the daemon meets it: its calls in their order, and what it does with the answers.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use async_io::{Timer, block_on};
use caif_modeminit::bus::{MANAGER, NAME};
use futures_lite::{StreamExt, future};
use zbus::{
    Connection, MatchRule, Message, MessageStream,
    connection::Builder,
    fdo::{DBusProxy, NameOwnerChanged},
    interface,
    message::{Flags, Type},
    zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value},
};

/// How long to wait for what must come.
const LIMIT: Duration = Duration::from_secs(60);

/// What oFono knows of a modem of the daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    pub serial: String,
    pub interface: String,
    pub state: String,
}

type Modems = Vec<(OwnedObjectPath, HashMap<String, OwnedValue>)>;

/// How often oFono was asked for its modems.
type Asked = Arc<(Mutex<u32>, Condvar)>;

/// oFono's own manager.
struct Manager {
    online: bool,
    asked: Asked,
}

#[interface(name = "org.ofono.Manager")]
impl Manager {
    fn get_modems(&self) -> Vec<(ObjectPath<'static>, HashMap<&'static str, Value<'static>>)> {
        let path = ObjectPath::from_static_str_unchecked("/remoteproc0");
        *self.asked.0.lock().expect("no panic") += 1;
        self.asked.1.notify_all();
        vec![(path, HashMap::from([("Online", Value::from(self.online))]))]
    }
}

/// A client that does as oFono does.
pub struct FakeOfono {
    pub connection: Connection,
    /// All that comes, in its order.
    messages: MessageStream,
    /// The calls to the daemon.
    calls: Vec<NonZeroU32>,
    /// The modems by path.
    pub modems: BTreeMap<String, Known>,
    /// How often it asked the daemon.
    pub asked: u32,
    was_asked: Asked,
    /// The states that are new, by signals or answers.
    told: Vec<String>,
}

impl FakeOfono {
    /// Connects, takes oFono's name, and begins to watch the daemon's.
    pub fn new(address: &str) -> Self {
        let was_asked = Asked::default();
        let manager = Manager {
            online: false,
            asked: was_asked.clone(),
        };
        block_on(async {
            let connection = Builder::address(address)
                .and_then(|builder| builder.serve_at("/", manager))
                .and_then(|builder| builder.name("org.ofono"))
                .expect("an address")
                .build()
                .await
                .expect("the bus");
            let owners = MatchRule::builder()
                .msg_type(Type::Signal)
                .interface("org.freedesktop.DBus")
                .and_then(|rule| rule.member("NameOwnerChanged"))
                .and_then(|rule| rule.arg(0, NAME))
                .expect("a rule")
                .build();
            let signals = MatchRule::builder()
                .msg_type(Type::Signal)
                .interface("com.stericsson.modeminit.Modem")
                .and_then(|rule| rule.member("PropertyChanged"))
                .expect("a rule")
                .build();
            let dbus = DBusProxy::new(&connection).await.expect("the bus");
            for rule in [owners, signals] {
                dbus.add_match_rule(rule).await.expect("a match");
            }
            let mut ofono = Self {
                messages: MessageStream::from(&connection),
                calls: Vec::new(),
                connection,
                modems: BTreeMap::new(),
                asked: 0,
                was_asked,
                told: Vec::new(),
            };
            let name = NAME.try_into().expect("a name");
            if dbus.name_has_owner(name).await.expect("an answer") {
                ofono.ask().await;
            }
            ofono
        })
    }

    /// Calls `GetModems` as oFono does, which does not start a service.
    async fn ask(&mut self) {
        self.asked += 1;
        let message = Message::method_call(MANAGER, "GetModems")
            .and_then(|message| message.destination(NAME))
            .and_then(|message| message.interface("com.stericsson.modeminit.Manager"))
            .and_then(|message| message.with_flags(Flags::NoAutoStart))
            .and_then(|message| message.build(&()))
            .expect("a message");
        self.calls.push(message.primary_header().serial_num());
        self.connection.send(&message).await.expect("the bus");
    }

    /// Takes over the answer.
    fn answered(&mut self, answer: &Message) {
        if answer.message_type() == Type::Error {
            // The name was given back meanwhile, and will be taken again.
            return;
        }
        assert_eq!(answer.body().signature().to_string_no_parens(), "a(oa{sv})");
        let all: Modems = answer.body().deserialize().expect("modems");
        for (path, properties) in all {
            let text = |name: &str| {
                let value = properties.get(name).expect("each property");
                value.downcast_ref::<&str>().expect("text").to_owned()
            };
            let known = Known {
                serial: text("Serial"),
                interface: text("Interface"),
                state: text("State"),
            };
            assert_eq!(properties.len(), 3, "{properties:?}");
            let state = known.state.clone();
            let old = self.modems.insert(path.to_string(), known);
            if old.is_some_and(|old| old.state != state) {
                self.told.push(state);
            }
        }
    }

    /// Does what the next message asks for.
    async fn step(&mut self) {
        let message = self.messages.next().await;
        let message = message.expect("the bus").expect("a message");
        if let Some(change) = NameOwnerChanged::from_message(message.clone()) {
            let change = change.args().expect("arguments");
            match change.new_owner().is_some() {
                true => self.ask().await,
                false => self.modems.clear(),
            }
            return;
        }
        if let Some(serial) = message.header().reply_serial() {
            if self.calls.contains(&serial) {
                self.answered(&message);
            }
            return;
        }
        let of_modem = "com.stericsson.modeminit.Modem";
        if message.header().interface().map(|name| name.as_str()) != Some(of_modem) {
            return;
        }
        let header = message.header();
        let path = header.path().expect("a path").to_string();
        // It takes what follows the name for a string, whatever it is.
        let body = message.body();
        assert_eq!(body.signature().to_string_no_parens(), "ss");
        let (name, value): (String, String) = body.deserialize().expect("two strings");
        assert_eq!(name, "State", "it does not take others");
        // It ignores those of other modems. An answer may have had the state already.
        let known = self.modems.get_mut(&path);
        if let Some(known) = known.filter(|known| known.state != value) {
            known.state.clone_from(&value);
            self.told.push(value);
        }
    }

    /// Goes on until what it knows is as wanted. Returns the states that were new meanwhile.
    pub fn until(&mut self, wanted: impl Fn(&Self) -> bool) -> Vec<String> {
        let go_on = async {
            while !wanted(self) {
                self.step().await;
            }
            true
        };
        let late = async {
            Timer::after(LIMIT).await;
            false
        };
        let came = block_on(future::or(go_on, late));
        assert!(came, "it did not come: {:?}", self.modems);
        std::mem::take(&mut self.told)
    }

    /// Goes on until the only modem has this state.
    pub fn until_state(&mut self, state: &str) -> Vec<String> {
        self.until(|ofono| ofono.modems.len() == 1 && ofono.modem().state == state)
    }

    /// Waits until it was asked so often.
    pub fn until_asked(&self, often: u32) {
        let (asked, changed) = &*self.was_asked;
        let asked = asked.lock().expect("no panic");
        let (asked, late) = changed
            .wait_timeout_while(asked, LIMIT, |asked| *asked < often)
            .expect("no panic");
        assert!(!late.timed_out(), "it was asked {asked} times");
    }

    /// Returns the only modem.
    pub fn modem(&self) -> &Known {
        self.modems.values().next().expect("a modem")
    }

    /// Goes online or offline, and tells so.
    pub fn set_online(&self, online: bool) {
        block_on(async {
            let server = self.connection.object_server();
            let manager = server
                .interface::<_, Manager>("/")
                .await
                .expect("a manager");
            manager.get_mut().await.online = online;
            let path = "/remoteproc0";
            let body = ("Online", Value::from(online));
            self.connection
                .emit_signal(
                    None::<&str>,
                    path,
                    "org.ofono.Modem",
                    "PropertyChanged",
                    &body,
                )
                .await
                .expect("the bus");
        });
    }
}
