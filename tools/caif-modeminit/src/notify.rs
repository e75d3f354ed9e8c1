// SPDX-License-Identifier: GPL-2.0 OR MIT

//! Tells the service manager that the service is ready.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

/// Tells the service manager that the service is ready, if one started it and asked for that.
///
/// The unit is not of `Type=dbus`: systemd would stop it when the name is given back for a moment.
pub fn ready() -> io::Result<()> {
    let Ok(name) = env::var("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address)?;
    Ok(())
}
