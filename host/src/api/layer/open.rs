//! A span that is under way, and what its fields say of the record that it becomes.

use std::error::Error as StdError;
use std::fmt::Debug;

use metricast_records::EventMetrics;
use tracing::field::{Field, Visit};

use super::FIELD;
use crate::clock;

/// The records that a span becomes, each by its publisher: several layers may measure one span.
#[derive(Debug)]
pub(super) struct Opens(Vec<(usize, Open)>);

impl Opens {
    pub(super) fn of(publisher: usize, open: Open) -> Self {
        Self(vec![(publisher, open)])
    }

    /// The first of two layers of one publisher counts.
    pub(super) fn add(&mut self, publisher: usize, open: Open) {
        if !self.has(publisher) {
            self.0.push((publisher, open));
        }
    }

    pub(super) fn has(&self, publisher: usize) -> bool {
        self.0.iter().any(|(known, _)| *known == publisher)
    }

    pub(super) fn get(&mut self, publisher: usize) -> Option<&mut Open> {
        self.0.iter_mut().find(|(known, _)| *known == publisher).map(|(_, open)| open)
    }

    pub(super) fn take(&mut self, publisher: usize) -> Option<Open> {
        let at = self.0.iter().position(|(known, _)| *known == publisher)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// What fields of a span say.
#[derive(Debug, Default)]
pub(super) struct Values(Vec<(&'static str, String)>);

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
    pub(super) fn new(name: &str, values: Values) -> Self {
        let metrics = EventMetrics {
            event_name: name.to_owned(),
            start_time: clock::now(),
            process_id: Some(std::process::id()),
            ..EventMetrics::default()
        };
        let mut open = Self { metrics, left_out: false };
        open.set(values);
        open
    }

    pub(super) fn set(&mut self, values: Values) {
        for (name, text) in values.0 {
            self.set_one(name, text);
        }
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

    fn set_one(&mut self, name: &str, text: String) {
        let metrics = &mut self.metrics;
        match name {
            FIELD => self.left_out = text == "false",
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

impl Visit for Values {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn StdError + 'static)) {
        self.0.push((field.name(), value.to_string()));
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
