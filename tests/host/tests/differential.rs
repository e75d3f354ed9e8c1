// SPDX-License-Identifier: GPL-2.0 OR MIT

//! The comparison of the reversed ring with `virtio-queue`.

use vring_host_tests::differential::run;
use vring_host_tests::from_env;

fn agree(event_idx: bool) {
    let (chains, seed) = (
        from_env("VRING_CHAINS", 1_000_000),
        from_env("VRING_SEED", 2),
    );
    let totals = run(chains, event_idx, seed).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    println!("seed {seed}: {totals:?}");
    assert!(totals.chains >= chains && totals.rings > chains / 200_000);
    assert!(totals.segments > totals.chains);
    assert!(totals.whole > 0, "no chain of a whole ring was compared");
    let silent = totals.decisions - totals.notified;
    assert!(totals.notified > 1000 && silent > 1000, "{totals:?}");
}

#[test]
fn both_devices_agree_without_event_idx() {
    agree(false);
}

#[test]
fn both_devices_agree_with_event_idx() {
    agree(true);
}
