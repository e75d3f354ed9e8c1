// SPDX-License-Identifier: GPL-2.0

//! Links and interfaces in namespaces other than the first ones.

use anyhow::{Result, ensure};

use super::{Case, USER_NS, one};
use crate::{
    namespace::{self, END},
    vm::Vm,
};

pub const CASES: &[Case] = &[Case {
    needs: USER_NS,
    ..one("stack_refuses_root_of_others", root_of_others)
}];

/// Root of another user namespace can have interfaces in a network namespace of its own, but none in
/// the first one, and nowhere a socket, not even beside a link of its own.
fn root_of_others(vm: &mut Vm) -> Result<()> {
    const OTHERS: &str = "nsenter -t $(cat /tmp/ns) -U";
    let socket = "guest-tool connect-fails --service at --errno eperm";
    vm.up()?;
    vm.guest.ok(&namespace::begin("-U -r -n"))?;
    vm.guest.ok(&format!("{OTHERS} {socket}"))?;
    let refused = vm
        .guest
        .fails(&format!("{OTHERS} guest-tool link-add caifu --connid 7"))?;
    ensure!(refused.contains("not permitted"), "{refused}");
    vm.guest.ok(&format!(
        "ip link set cfvrt0 netns $(cat /tmp/ns) && \
         {OTHERS} -n guest-tool link-add caifu --connid 7 && \
         {OTHERS} -n ip link set cfvrt0 up && {OTHERS} -n ip link set caifu up && \
         {OTHERS} -n {socket}"
    ))?;
    vm.guest.ok(&format!(
        "{END} && guest-tool wait-netdev cfvrt0 && ip link set cfvrt0 up"
    ))?;
    vm.is_back(0)?;
    vm.traffic()
}
