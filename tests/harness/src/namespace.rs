// SPDX-License-Identifier: GPL-2.0

//! A network namespace of the guest, beside the first one.

/// Runs what follows in the namespace.
pub const INSIDE: &str = "nsenter -t $(cat /tmp/ns) -n";
/// Ends the namespace.
pub const END: &str = "kill $(cat /tmp/ns)";

/// Makes the namespace, with options of `unshare`. It ends with the process whose number is in a file.
pub fn begin(options: &str) -> String {
    // The process writes once it is there.
    format!(
        "rm -f /tmp/began && mkfifo /tmp/began && \
         {{ unshare {options} sh -c 'echo >/tmp/began; exec sleep 1000' </dev/null >/dev/null 2>&1 & }} && \
         echo $! >/tmp/ns && read -r _ </tmp/began"
    )
}

/// Waits for the carrier of an interface in the namespace: sysfs shows the first one.
pub fn wait_carrier(name: &str) -> String {
    format!("{INSIDE} guest-tool until --net 'ip link show {name} | grep -q LOWER_UP'")
}
