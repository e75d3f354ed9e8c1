// SPDX-License-Identifier: GPL-2.0

//! Suite: what virtual devices receive, and the cells in which their packets are merged.

use crate::{
    cells::{
        self,
        Cell,
        Count, //
    },
    fake::TIMEOUT_MS, //
};
use kernel::prelude::*;

/// Packets that wait in a cell at most.
const LIMIT: i32 = 1000;
/// Packets of one poll.
const BUDGET: i32 = 64;

#[kernel::macros::kunit_tests(caif_stack_cells)]
mod tests {
    use super::*;

    /// More come while packets are handled than can be.
    #[test]
    fn cell_that_does_not_keep_up() -> Result {
        let cell = Cell::new()?;
        cell.multiply(5000);
        cell.offer(1);
        cell.frees(5000, TIMEOUT_MS);
        check_eq!(cell.count(Count::Freed), 5000, "freed");
        let most = cell.count(Count::Most);
        check!(most <= LIMIT + 2 * BUDGET, "{most} packets waited");
        let (received, dropped) = (cell.count(Count::Received), cell.count(Count::Dropped));
        check!(dropped > 0, "none was dropped");
        check_eq!(received + dropped, cell.count(Count::Offered), "in all");
        Ok(())
    }

    /// The device goes down while packets wait and a poll is about to begin.
    #[test]
    fn cell_that_closes_under_packets() -> Result {
        let cell = Cell::new()?;
        check!(cell.hold(), "it is polled");
        cell.offer(100);
        check_eq!(cell.count(Count::Received), 0, "received");
        cell.begin_to_close();
        let closing = cell.begins_to_close(TIMEOUT_MS);
        cell.offer(1);
        let dropped = cell.count(Count::Dropped);
        // The poll is not over.
        let early = cell.closes(50);
        cell.release();
        cell.end_to_close();
        check!(closing, "it takes packets");
        check_eq!(dropped, 1, "dropped");
        check!(!early, "it was closed under its poll");
        check_eq!(cell.count(Count::Received), BUDGET, "one poll");
        check_eq!(cell.count(Count::Freed), 101, "freed");
        // Nothing comes after that.
        cell.offer(1);
        check_eq!(cell.count(Count::Received), BUDGET, "received");
        check_eq!(cell.count(Count::Freed), 102, "freed");
        Ok(())
    }

    /// GRO gives the packets that it merges to one owner.
    #[test]
    fn owner_of_an_outer_frame() -> Result {
        let cell = Cell::new()?;
        check!(!cell.receive_owned()?, "the packet has an owner");
        check_eq!(cell.count(Count::Freed), 1, "owners that were told");
        Ok(())
    }

    /// The page of zeroes is everybody's: nobody may change a packet in place that it is part of.
    #[test]
    fn zeroes_behind_pages() -> Result {
        check!(cells::put_zeroes()?, "the page is not marked as shared");
        Ok(())
    }

    #[test]
    fn hash_of_an_outer_frame() -> Result {
        let cell = Cell::new()?;
        check_eq!(
            cell.receive_hash(false, 0x1234_5678)?,
            (0, false),
            "of the frame"
        );
        check_eq!(
            cell.receive_hash(true, 0x1234_5678)?,
            (0x1234_5678, false),
            "of the connection"
        );
        Ok(())
    }
}
