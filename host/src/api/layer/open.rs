//! A span that is under way, and what its fields say of the record that it becomes.

use std::error::Error as StdError;
use std::fmt::Debug;

use metricast_records::EventMetrics;
use tracing::field::{Field, Visit};

use super::FIELD;
use crate::clock;

#[derive(Debug)]
pub(super) struct Open {
    metrics: EventMetrics,
    /// By the field `metricast = false`.
    left_out: bool,
}

/// What an event of level ERROR says.
#[derive(Debug, Default)]
pub(super) struct Error {
    error: Option<String>,
    message: Option<String>,
}

impl Open {
    pub(super) fn new(name: &str) -> Self {
        let metrics = EventMetrics {
            event_name: name.to_owned(),
            start_time: clock::now(),
            process_id: Some(std::process::id()),
            ..EventMetrics::default()
        };
        Self { metrics, left_out: false }
    }

    /// The first failure counts.
    pub(super) fn fail(&mut self, Error { error, message }: Error) {
        self.metrics.error.get_or_insert_with(|| error.or(message).unwrap_or_default());
    }

    /// The record of a span that ends now; none where it says that it is none.
    pub(super) fn finish(self) -> Option<EventMetrics> {
        let Self { mut metrics, left_out } = self;
        if left_out {
            return None;
        }
        if metrics.status.is_empty() {
            if std::thread::panicking() {
                metrics.error.get_or_insert_with(|| "panicked".to_owned());
            }
            let status = if metrics.error.is_some() { "failed" } else { "completed" };
            status.clone_into(&mut metrics.status);
        }
        // A wall clock may be set back meanwhile.
        metrics.end_time = Some(clock::now().max(metrics.start_time));
        Some(metrics)
    }

    fn set(&mut self, field: &Field, text: String) {
        let metrics = &mut self.metrics;
        match field.name() {
            FIELD => {}
            "event_name" if !text.is_empty() => metrics.event_name = text,
            "task_id" => metrics.task_id = text,
            "status" => metrics.status = text,
            "error" => metrics.error = Some(text),
            "retry_count" if text.parse::<u32>().is_ok() => metrics.retry_count = text.parse().unwrap_or_default(),
            name => match metrics.attributes.iter_mut().find(|(known, _)| known == name) {
                Some((_, value)) => *value = text,
                None => metrics.attributes.push((name.to_owned(), text)),
            },
        }
    }
}

impl Visit for Open {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == FIELD {
            self.left_out = !value;
        }
        self.set(field, value.to_string());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        self.set(field, value.to_string());
    }
}

impl Visit for Error {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "error" => self.error = Some(format!("{value:?}")),
            "message" => self.message = Some(format!("{value:?}")),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        self.record_debug(field, &format_args!("{value}"));
    }
}
