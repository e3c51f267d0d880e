//! The budget that tokio gives a task for each turn.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::{Context, Poll, ready},
};

use tokio::task::coop::{consume_budget, has_budget_remaining};

/// Returns whether the task has used up the budget of its turn.
pub(crate) fn is_used_up() -> bool {
    !has_budget_remaining()
}

/// Polls for the next turn of the task. It is pending, and wakes, where the budget is used up.
pub(crate) fn poll_turn(cx: &mut Context<'_>) -> Poll<()> {
    if is_used_up() { pin!(consume_budget()).poll(cx) } else { Poll::Ready(()) }
}

/// Work that a task pays for with its budget, of which a turn has 128 units. All stages and kinds that one
/// task polls share a turn in this way, whatever they do. Outside of a task nothing is to be paid.
#[derive(Debug)]
pub(crate) struct Work {
    /// How much of it costs a unit.
    unit: usize,
    unpaid: usize,
}

impl Work {
    pub(crate) fn costing(unit: usize) -> Self {
        Self { unit, unpaid: 0 }
    }

    /// Adds work that was done.
    pub(crate) fn add(&mut self, done: usize) {
        self.unpaid += done;
    }

    /// Pays for the work of before. It is pending, and wakes, where the others are to get their turn.
    pub(crate) fn poll_paid(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !is_used_up() {
            let Some(rest) = self.unpaid.checked_sub(self.unit) else { return Poll::Ready(()) };
            self.unpaid = rest;
            ready!(pin!(consume_budget()).poll(cx));
        }
        // A turn pays for all of it.
        self.unpaid = 0;
        poll_turn(cx)
    }

    /// Does the same as [`poll_paid`](Self::poll_paid), and waits for the next turn.
    pub(crate) async fn paid(&mut self) {
        poll_fn(|cx| self.poll_paid(cx)).await;
    }
}
