// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The commands that were typed before, in a file that only their author can read.

use std::{
    env, fs,
    io::{self, ErrorKind},
    path::PathBuf,
};

use crate::output::complain;

/// Commands that have a secret, such as a PIN.
const SECRET: [&str; 6] = ["+CPIN", "+CLCK", "+CPWD", "+CGAUTH", "*EIAAUW", "$QCPDPP"];

/// Returns the path of the file, after making its folder. `None` if there is no place for it.
pub fn file() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").filter(|path| !path.is_empty());
    let folder = match (state, env::var_os("HOME").filter(|path| !path.is_empty())) {
        (Some(state), _) => PathBuf::from(state),
        (None, Some(home)) => PathBuf::from(home).join(".local/state"),
        (None, None) => return None,
    };
    let folder = folder.join("caifctl");
    if let Err(error) = make(&folder) {
        complain(&format!(
            "there will be no history: {}: {error}",
            folder.display()
        ));
        return None;
    }
    Some(folder.join("at_history"))
}

fn make(folder: &PathBuf) -> io::Result<()> {
    match fs::create_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        result => result,
    }
}

/// Returns whether a command is kept.
pub fn is_kept(command: &str) -> bool {
    let upper = command.to_ascii_uppercase();
    !upper.trim().is_empty() && !SECRET.iter().any(|secret| upper.contains(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        for kept in ["AT", "at+csq", "AT+CGDCONT=1,\"IP\",\"internet\""] {
            assert!(is_kept(kept), "{kept}");
        }
        for secret in [
            "",
            " ",
            "AT+CPIN=1234",
            "at+cpin=\"1234\"",
            "AT+CSQ;+CLCK=\"SC\",1,\"1234\"",
        ] {
            assert!(!is_kept(secret), "{secret}");
        }
    }
}
