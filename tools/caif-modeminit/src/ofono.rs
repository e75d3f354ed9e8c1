// SPDX-License-Identifier: GPL-2.0 OR MIT

//! oFono, as far as it is needed to know which interfaces it does not use any more.

use std::{collections::HashMap, time::Duration};

use async_io::Timer;
use futures_lite::{StreamExt, future, stream};
use tracing::{debug, info};
use zbus::{
    Connection, MatchRule, Message, MessageStream,
    fdo::{DBusProxy, NameOwnerChanged},
    message::Type,
    names::{BusName, OwnedUniqueName, UniqueName},
    zvariant::{OwnedObjectPath, OwnedValue},
};

/// oFono's name.
const NAME: &str = "org.ofono";
/// Time that oFono has to answer. It waits for its modem in some places.
const ANSWER: Duration = Duration::from_secs(20);
/// Number of signals that may wait.
const QUEUE: usize = 1024;

/// An event of oFono.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// oFono came, went, or was restarted.
    Owner,
    /// A modem went, or a property of one changed, perhaps whether it is online.
    Modem,
    /// The bus is gone.
    End,
}

/// A connection to oFono: its signals and its modems.
pub struct Ofono {
    dbus: DBusProxy<'static>,
    owners: MessageStream,
    signals: MessageStream,
    owner: Option<OwnedUniqueName>,
}

impl Ofono {
    /// Listens to oFono, which may come later.
    pub async fn new(connection: &Connection) -> zbus::Result<Self> {
        let owners = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")?
            .interface("org.freedesktop.DBus")?
            .member("NameOwnerChanged")?
            .arg(0, NAME)?
            .build();
        let signals = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender(NAME)?
            .build();
        Ok(Self {
            dbus: DBusProxy::new(connection).await?,
            owners: MessageStream::for_match_rule(owners, connection, Some(QUEUE)).await?,
            signals: MessageStream::for_match_rule(signals, connection, Some(QUEUE)).await?,
            owner: None,
        })
    }

    /// Waits for something to happen.
    pub async fn next(&mut self) -> Event {
        loop {
            let both = stream::or(&mut self.owners, &mut self.signals).next().await;
            let Some(Ok(message)) = both else {
                return Event::End;
            };
            if NameOwnerChanged::from_message(message.clone()).is_some() {
                return Event::Owner;
            }
            if self.is_of_modem(&message) {
                return Event::Modem;
            }
        }
    }

    fn is_of_modem(&self, message: &Message) -> bool {
        let header = message.header();
        let of = (
            header.interface().map(|name| name.as_str()),
            header.member().map(|name| name.as_str()),
        );
        let sender = header.sender().map(UniqueName::as_str);
        sender.is_some()
            && sender == self.owner.as_ref().map(|owner| owner.as_str())
            && matches!(
                of,
                (Some("org.ofono.Modem"), Some("PropertyChanged"))
                    | (Some("org.ofono.Manager"), Some("ModemRemoved"))
            )
    }

    /// Returns the number of its process; `None` if it is not on the bus.
    pub async fn process(&mut self) -> Option<u32> {
        let name = BusName::try_from(NAME).ok()?;
        self.owner = self.dbus.get_name_owner(name).await.ok();
        let owner = self.owner.clone()?;
        let process = self.dbus.get_connection_unix_process_id(owner.into()).await;
        match &process {
            Ok(process) => info!("oFono is process {process}"),
            Err(error) => info!("cannot tell which process oFono is: {error}"),
        }
        process.ok()
    }

    /// Asks whether any of these modems is online; `None` if there is no answer. Does not borrow
    /// this, so that other things can be waited for, too.
    pub fn ask(&self, serials: Vec<String>) -> impl Future<Output = Option<bool>> + use<> {
        let connection = self.dbus.inner().connection().clone();
        let owner = self.owner.clone().map(BusName::from);
        let answer = async move {
            let all = connection
                .call_method(owner, "/", Some("org.ofono.Manager"), "GetModems", &())
                .await
                .inspect_err(|error| debug!("oFono does not tell of its modems: {error}"))
                .ok()?;
            let all: Vec<(OwnedObjectPath, HashMap<String, OwnedValue>)> =
                all.body().deserialize().ok()?;
            let is_ours = |path: &str| {
                serials
                    .iter()
                    .any(|one| path.strip_prefix('/') == Some(one.as_str()))
            };
            let online = |properties: &HashMap<String, OwnedValue>| {
                // One that does not say so may be online.
                properties
                    .get("Online")
                    .and_then(|value| bool::try_from(value).ok())
                    .unwrap_or(true)
            };
            Some(
                all.iter()
                    .any(|(path, properties)| is_ours(path.as_str()) && online(properties)),
            )
        };
        let late = async {
            Timer::after(ANSWER).await;
            debug!("oFono does not answer");
            None
        };
        future::or(answer, late)
    }
}
