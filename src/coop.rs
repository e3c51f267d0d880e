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

/// Waits for the next turn of the task: if the budget is used up, returns pending and wakes the task.
pub(crate) fn poll_turn(cx: &mut Context<'_>) -> Poll<()> {
    if is_used_up() { pin!(consume_budget()).poll(cx) } else { Poll::Ready(()) }
}

/// Work that a task pays for with its budget, of which a turn has 128 units. So all stages and kinds
/// that one task polls share a turn. Outside of a task the work is free.
#[derive(Debug)]
pub(crate) struct Work {
    /// The amount of work that costs a unit.
    unit: usize,
    unpaid: usize,
}

impl Work {
    pub(crate) fn costing(unit: usize) -> Self {
        Self { unit, unpaid: 0 }
    }

    /// Adds work that is done.
    pub(crate) fn add(&mut self, done: usize) {
        self.unpaid += done;
    }

    /// Pays for the work so far. If the budget is used up, returns pending and wakes the task, so that
    /// others get their turn.
    pub(crate) fn poll_paid(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !is_used_up() {
            let Some(rest) = self.unpaid.checked_sub(self.unit) else { return Poll::Ready(()) };
            self.unpaid = rest;
            ready!(pin!(consume_budget()).poll(cx));
        }
        // Waiting for the next turn pays for all work.
        self.unpaid = 0;
        poll_turn(cx)
    }

    /// Does the same as [`poll_paid`](Self::poll_paid) as a future.
    pub(crate) async fn paid(&mut self) {
        poll_fn(|cx| self.poll_paid(cx)).await;
    }
}
