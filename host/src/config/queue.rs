//! `[queue]`, and the keys of publishers that are about their place in it.

use std::path::Path;

use super::check::{positive, size};
use super::checked::{InQueue, Queue, WhenFull};
use super::defaults;
use super::raw::{RawInQueue, RawQueue};
use super::reader::{At, Place, Problems};
use crate::queue::Start;

pub(super) fn queue(raw: RawQueue, folder: &Path, problems: &mut Problems<'_>) -> Queue {
    if let Some(At { value, place }) = &raw.path
        && value.is_empty()
    {
        problems.add(place, "is empty: leave the key out for a queue in memory");
    }
    if raw.path.is_none() {
        needs_a_path(raw.forget_after.as_ref(), problems);
        needs_a_path(raw.max_dead_letters.as_ref(), problems);
    }
    let max_size = match raw.path {
        Some(_) => folder_size(raw.max_size, problems),
        None => size(raw.max_size, defaults::MEMORY_QUEUE, problems),
    };
    Queue {
        path: raw.path.map(|at| folder.join(at.value)),
        max_size,
        when_full: raw.when_full.map_or(WhenFull::Block, |at| at.value),
        forget_after: raw.forget_after.map_or(defaults::FORGET_AFTER, |at| at.value),
        max_dead_letters: positive(raw.max_dead_letters, defaults::MAX_DEAD_LETTERS, problems) as u64,
    }
}

/// The log goes in parts: a few of them have to fit.
fn folder_size(at: Option<At<usize>>, problems: &mut Problems<'_>) -> usize {
    let Some(At { value, place }) = at else { return defaults::DURABLE_QUEUE };
    if value < defaults::LEAST_DURABLE_QUEUE {
        problems.add(&place, "needs at least 16MiB on a disk: records go from it a part at a time");
    }
    value
}

pub(super) fn in_queue(raw: RawInQueue, is_durable: bool, problems: &mut Problems<'_>) -> InQueue {
    if !is_durable {
        needs_a_path(raw.start.as_ref(), problems);
        needs_a_path(raw.reset_state.as_ref(), problems);
    }
    InQueue {
        start: raw.start.map_or(Start::Now, |at| at.value),
        when_behind: raw.when_behind.map(|at| at.value).unwrap_or_default(),
        reset_state: raw.reset_state.is_some_and(|at| at.value),
    }
}

fn needs_a_path<T>(at: Option<&At<T>>, problems: &mut Problems<'_>) {
    if let Some(Place { key, span }) = at.map(|at| &at.place) {
        let place = Place { key: key.clone(), span: span.clone() };
        problems.add(&place, "is about a queue on a disk: give `[queue]` a `path`, or leave the key out");
    }
}
