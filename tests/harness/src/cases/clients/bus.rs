// SPDX-License-Identifier: GPL-2.0

//! Objects on the system bus, as oFono and ConnMan have them: properties that one method returns
//! and another one sets.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::vm::Vm;

/// Seconds that a client may take for a step.
pub(super) const PATIENCE: u64 = 60;

/// An object with an interface.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
}

/// Returns an object of oFono.
pub(super) fn ofono<'a>(path: &'a str, interface: &'a str) -> Object<'a> {
    Object {
        name: "org.ofono",
        path,
        interface,
    }
}

/// Returns an object of ConnMan.
pub(super) fn connman<'a>(path: &'a str, interface: &'a str) -> Object<'a> {
    Object {
        name: "net.connman",
        path,
        interface,
    }
}

impl Object<'_> {
    /// Waits until the conditions hold for what a method returns. Returns that.
    pub(super) fn wait(&self, vm: &mut Vm, method: &str, until: &[&str]) -> Result<Value> {
        self.wait_for(vm, method, until, PATIENCE)
    }

    /// The same with a limit in seconds.
    pub(super) fn wait_for(
        &self,
        vm: &mut Vm,
        method: &str,
        until: &[&str],
        seconds: u64,
    ) -> Result<Value> {
        let Self {
            name,
            path,
            interface,
        } = self;
        let conditions: String = until.iter().map(|c| format!(" --until '{c}'")).collect();
        let command = format!(
            "guest-tool bus {name} {path} {interface}.{method} --timeout {seconds}{conditions}"
        );
        let out = vm.guest.start_for(&command, seconds + 10)?.ok()?;
        serde_json::from_str(&out).with_context(|| format!("{command}: {out}"))
    }

    /// Returns what a method returns now.
    pub(super) fn get(&self, vm: &mut Vm, method: &str) -> Result<Value> {
        self.wait(vm, method, &[])
    }

    /// Waits until the properties are as wanted. Returns them.
    pub(super) fn has(&self, vm: &mut Vm, until: &[&str]) -> Result<Value> {
        self.wait(vm, "GetProperties", until)
    }

    /// Calls a method with arguments as dbus-send has them. Returns what that prints.
    pub(super) fn call(&self, vm: &mut Vm, method: &str, arguments: &str) -> Result<String> {
        vm.guest.ok(&self.command(method, arguments))
    }

    fn command(&self, method: &str, arguments: &str) -> String {
        let Self {
            name,
            path,
            interface,
        } = self;
        let milliseconds = PATIENCE * 900;
        format!(
            "dbus-send --system --print-reply --reply-timeout={milliseconds} --dest={name} {path} \
             {interface}.{method} {arguments}"
        )
    }

    /// Sets a property to a value as dbus-send has it.
    pub(super) fn set(&self, vm: &mut Vm, property: &str, value: &str) -> Result<()> {
        self.call(
            vm,
            "SetProperty",
            &format!("string:{property} variant:{value}"),
        )
        .map(drop)
    }

    /// Sets a property, and does not wait for the answer.
    pub(super) fn tell(&self, vm: &mut Vm, property: &str, value: &str) -> Result<()> {
        let Self {
            name,
            path,
            interface,
        } = self;
        vm.guest
            .ok(&format!(
                "dbus-send --system --type=method_call --dest={name} {path} \
                 {interface}.SetProperty string:{property} variant:{value}"
            ))
            .map(drop)
    }
}

/// Returns the name of the first entry.
pub(super) fn first_key(objects: &Value) -> Result<String> {
    let entry = objects
        .as_object()
        .and_then(|entries| entries.keys().next());
    entry.cloned().with_context(|| format!("none: {objects}"))
}

/// Returns a text at a place.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.with_context(|| format!("no {pointer}: {value}"))
}
