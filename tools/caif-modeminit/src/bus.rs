// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The service on the bus.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
use zbus::{
    Connection,
    connection::Builder,
    fdo::{RequestNameFlags, RequestNameReply},
    object_server::SignalEmitter,
};

use crate::{
    modems::Modem,
    objects::{Manager, ModemObject, Shown, View},
    state::State,
};

/// The name that oFono looks for.
pub const NAME: &str = "com.stericsson.modeminit";
/// The object of the manager.
pub const MANAGER: &str = "/";
/// Path prefix of the modems' objects.
const MODEMS: &str = "/com/stericsson/modeminit";

/// Time that the bus has to answer.
const ANSWER: Duration = Duration::from_secs(25);

/// Returns the path of a modem's object.
pub fn path(serial: &str) -> String {
    format!("{MODEMS}/{serial}")
}

/// The service.
pub struct Bus {
    connection: Connection,
    view: View,
}

impl Bus {
    /// Connects to a bus: that of an address, or the system's.
    pub async fn connect(address: Option<&str>) -> Result<Self> {
        let view = View::default();
        let builder = match address {
            Some(address) => Builder::address(address),
            None => Builder::system(),
        };
        let connect = async {
            builder?
                .internal_executor(false)
                .method_timeout(ANSWER)
                .serve_at(MANAGER, Manager(view.clone()))?
                .build()
                .await
        };
        let connection = connect.await.with_context(|| match address {
            Some(address) => format!("cannot reach the bus at {address}"),
            None => "cannot reach the system bus: is dbus-daemon running?".to_owned(),
        })?;
        Ok(Self { connection, view })
    }

    /// Returns the connection.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Takes the name.
    pub async fn take_name(&self) -> Result<()> {
        self.view.lock().forget();
        let taken = self
            .connection
            .request_name_with_flags(NAME, RequestNameFlags::DoNotQueue.into())
            .await;
        match taken {
            Ok(RequestNameReply::PrimaryOwner | RequestNameReply::AlreadyOwner) => Ok(()),
            Ok(_) | Err(zbus::Error::NameTaken) => Err(anyhow!(
                "another program has the name {NAME}: is caif-modeminit running already?"
            )),
            Err(error) => Err(not_allowed(error)),
        }
    }

    /// Gives the name back.
    pub async fn release_name(&self) -> Result<()> {
        self.connection.release_name(NAME).await?;
        Ok(())
    }

    /// Shows these modems from now on.
    pub async fn show(&self, modems: &[Modem]) -> Result<()> {
        let new: Vec<Shown> = modems
            .iter()
            .map(|modem| Shown {
                serial: modem.serial.clone(),
                interface: modem.interface.clone(),
                state: modem.state,
            })
            .collect();
        let old = self.view.lock().show(new.clone());
        let server = self.connection.object_server();
        let is_in = |list: &[Shown], serial: &str| list.iter().any(|one| one.serial == serial);
        for one in new.iter().filter(|one| !is_in(&old, &one.serial)) {
            let object = ModemObject {
                serial: one.serial.clone(),
                view: self.view.clone(),
            };
            server.at(path(&one.serial), object).await?;
        }
        for one in old.iter().filter(|one| !is_in(&new, &one.serial)) {
            server.remove::<ModemObject, _>(path(&one.serial)).await?;
        }
        Ok(())
    }

    /// Returns whether a modem, or the name of its interface, is new since somebody asked: oFono
    /// asks once, when the name is taken, and ignores signals of other modems.
    pub fn is_outdated(&self) -> bool {
        self.view.lock().outdated
    }

    /// Emits the signal of a new state.
    pub async fn tell(&self, serial: &str, state: State) -> Result<()> {
        let emitter = SignalEmitter::new(&self.connection, path(serial))?;
        ModemObject::property_changed(&emitter, "State", state.name()).await?;
        Ok(())
    }
}

fn not_allowed(error: zbus::Error) -> Error {
    let refused = match &error {
        zbus::Error::MethodError(name, ..) => name.as_str().ends_with(".AccessDenied"),
        zbus::Error::FDO(error) => matches!(**error, zbus::fdo::Error::AccessDenied(_)),
        _ => false,
    };
    match refused {
        true => anyhow!(
            "the bus does not allow the name {NAME}: run this as root, with {NAME}.conf in \
             /usr/share/dbus-1/system.d"
        ),
        false => Error::new(error).context(format!("cannot take the name {NAME}")),
    }
}
