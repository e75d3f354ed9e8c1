// SPDX-License-Identifier: GPL-2.0 OR MIT

//! `vring_layout.rs` against the formulas of the specification.

use super::input::Input;
use super::trace::{passes, Places};
use crate::vring_layout::{need_event, Layout, LayoutError};

/// Checks a geometry and indices.
pub fn fuzz(input: &[u8]) {
    let mut input = Input::new(input);
    let (num, align) = (input.u32(), input.u32());
    let sound_num = (0..=15).any(|bit| num == 1 << bit);
    let sound_align = (2..=16).any(|bit| align == 1 << bit);
    match Layout::new(num, align) {
        Ok(layout) => {
            assert!(sound_num && sound_align, "{num} and {align} accepted");
            check(&layout, num as usize, align as usize, &mut input);
        }
        Err(error) => {
            let text = error.to_string();
            match error {
                LayoutError::Num(bad) => {
                    assert!(!sound_num && bad == num && text.contains(&num.to_string()));
                }
                LayoutError::Align(bad) => {
                    assert!(!sound_align && bad == align && text.contains(&align.to_string()));
                }
            }
        }
    }
    let (event, new, old) = (input.u16(), input.u16(), input.u16());
    assert_eq!(need_event(event, new, old), passes(event, new, old));
}

fn check(layout: &Layout, num: usize, align: usize, input: &mut Input<'_>) {
    let want = Places::new(num, align);
    assert_eq!(usize::from(layout.num()), num);
    assert_eq!(layout.size(), want.size());
    assert_eq!(layout.avail_flags(), want.avail_flags());
    assert_eq!(layout.avail_idx(), want.avail_idx());
    assert_eq!(layout.used_event(), want.used_event());
    assert_eq!(layout.used_flags(), want.used_flags());
    assert_eq!(layout.used_idx(), want.used_idx());
    assert_eq!(layout.avail_event(), want.avail_event());
    assert_eq!(layout.used_flags() % align, 0);
    assert!(layout.avail_event() + 2 <= layout.size());
    for index in [input.u16(), input.u16(), 0, u16::MAX] {
        let entry = (usize::from(index) % num) as u16;
        assert_eq!(layout.desc(index), want.desc(entry));
        assert_eq!(layout.avail_ring(index), want.avail_ring(index));
        assert_eq!(layout.used_ring(index), want.used_ring(index));
        // The parts follow each other and do not overlap.
        assert!(layout.desc(index) + 16 <= layout.avail_flags());
        assert!((layout.avail_idx() + 2..layout.used_event()).contains(&layout.avail_ring(index)));
        assert!(layout.used_event() + 2 <= layout.used_flags());
        assert!((layout.used_idx() + 2..layout.avail_event()).contains(&layout.used_ring(index)));
    }
}
