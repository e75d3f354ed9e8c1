// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The objects on the bus.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use zbus::{
    interface,
    object_server::SignalEmitter,
    zvariant::{OwnedObjectPath, Value},
};

use crate::{bus::path, state::State};

/// A modem as the bus shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub serial: String,
    pub interface: String,
    pub state: State,
}

/// The state that all objects share.
#[derive(Debug, Default)]
pub struct Shared {
    pub modems: Vec<Shown>,
    /// The modems that `GetModems` returned, and their interfaces; `None` if nobody has called it
    /// since the name was taken.
    pub told: Option<BTreeSet<(String, String)>>,
    /// Whether a modem, or the name of its interface, became new after somebody asked.
    pub outdated: bool,
}

impl Shared {
    /// Takes over what to show. Returns what was shown before. Whether somebody must ask again follows
    /// from what was told before: a later call is perhaps not oFono's.
    pub fn show(&mut self, modems: Vec<Shown>) -> Vec<Shown> {
        if let Some(told) = &self.told {
            let is_told = |one: &Shown| told.contains(&(one.serial.clone(), one.interface.clone()));
            self.outdated |= !modems.iter().all(is_told);
        }
        std::mem::replace(&mut self.modems, modems)
    }

    /// Begins anew: nobody has asked.
    pub fn forget(&mut self) {
        self.told = None;
        self.outdated = false;
    }
}

/// A reference to the shared state.
#[derive(Clone, Debug, Default)]
pub struct View(Arc<Mutex<Shared>>);

impl View {
    pub fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, serial: &str) -> Result<Shown, zbus::fdo::Error> {
        let shared = self.lock();
        let modem = shared.modems.iter().find(|one| one.serial == serial);
        modem
            .cloned()
            .ok_or_else(|| zbus::fdo::Error::UnknownObject(format!("there is no modem {serial}")))
    }
}

/// The object that oFono asks for the modems.
pub struct Manager(pub View);

#[interface(name = "com.stericsson.modeminit.Manager")]
impl Manager {
    fn get_modems(&self) -> Vec<(OwnedObjectPath, HashMap<&'static str, Value<'static>>)> {
        let mut shared = self.0.lock();
        let all = shared.modems.iter();
        shared.told = Some(
            all.map(|one| (one.serial.clone(), one.interface.clone()))
                .collect(),
        );
        let entry = |one: &Shown| {
            let properties = HashMap::from([
                ("Serial", Value::from(one.serial.clone())),
                ("Interface", Value::from(one.interface.clone())),
                ("State", Value::from(one.state.name())),
            ]);
            let path = OwnedObjectPath::try_from(path(&one.serial)).ok()?;
            Some((path, properties))
        };
        shared.modems.iter().filter_map(entry).collect()
    }
}

/// The object of a modem.
pub struct ModemObject {
    pub serial: String,
    pub view: View,
}

#[interface(name = "com.stericsson.modeminit.Modem")]
impl ModemObject {
    #[zbus(property(emits_changed_signal = "const"))]
    fn serial(&self) -> String {
        self.serial.clone()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn interface(&self) -> Result<String, zbus::fdo::Error> {
        Ok(self.view.get(&self.serial)?.interface)
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn state(&self) -> Result<String, zbus::fdo::Error> {
        Ok(self.view.get(&self.serial)?.state.name().to_owned())
    }

    /// Signals a new value. It is a plain string: oFono expects a variant in the answer of
    /// `GetModems` only.
    #[zbus(signal)]
    pub async fn property_changed(
        emitter: &SignalEmitter<'_>,
        name: &str,
        value: &str,
    ) -> zbus::Result<()>;
}
