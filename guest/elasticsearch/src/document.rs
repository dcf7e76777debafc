//! One record as one document: the names of the Elastic Common Schema where it has one, `metricast.*` where not.
//!
//! | field | value |
//! |---|---|
//! | `@timestamp` | the end, else the start |
//! | `event.action`, `event.kind` | the event's name or the operation; `event` |
//! | `event.start`, `event.end`, `event.duration` | times; nanoseconds; the last two only with an end |
//! | `event.outcome` | `success`, `failure` or `unknown` |
//! | `metricast.task_id`, `metricast.status`, `metricast.retry_count` | as the record has them; the last two of events |
//! | `metricast.attributes` | the record's attributes |
//! | `process.pid` | of events that have one |
//! | `destination.address`, `destination.ip`, `destination.port` | of network operations; the second only of a literal address, the third where it is known |
//! | `source.bytes`, `destination.bytes` | sent, received |
//! | `error.message` | where there is an error, be it an empty one |
//! | `service.name`, `host.name`, `data_stream.*` | as the config says |
//! | `ecs.version` | [`ECS`] |
//!
//! Times are text with microseconds: a JSON number would be taken as milliseconds.

use metricast_sdk::batch::ABSENT;
use metricast_sdk::time::Rfc3339;
use metricast_sdk::{Batch, Outcome};

use crate::json::{Json, Texts};
use crate::layout::Scheme;
use crate::options::Options;

/// The version of the Elastic Common Schema that the fields are of.
pub(crate) const ECS: &str = "8.17.0";

/// What is the same in all documents of one kind: the end of each, from the comma on.
pub(crate) fn tail(options: &Options, kind: &str) -> Vec<u8> {
    let mut json = Json::default();
    json.raw(br#","ecs":{"version":""#);
    json.bytes(ECS.as_bytes());
    json.raw(br#""}"#);
    for (object, name) in [("service", &options.service), ("host", &options.host_name)] {
        if let Some(name) = name {
            json.bytes(format!(",\"{object}\":{{\"name\":").as_bytes());
            json.escaped(name);
            json.raw(b"}");
        }
    }
    if let Some(Scheme { dataset, namespace }) = &options.layout.scheme {
        let parts =
            format!(r#","data_stream":{{"type":"logs","dataset":"{dataset}.{kind}","namespace":"{namespace}"}}"#);
        json.bytes(parts.as_bytes());
    }
    json.raw(b"}\n");
    json.as_bytes().to_vec()
}

/// A time as a document has it.
pub(crate) type Stamp = [u8; 27];

/// Appends documents of one batch's records.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) json: &'a mut Json,
    pub(crate) batch: &'a Batch,
    pub(crate) texts: Texts<'a>,
    pub(crate) times: Rfc3339,
    /// What Elasticsearch's `flattened` cannot have: attributes whose key has a NUL in it are left out.
    pub(crate) dropped_attributes: usize,
}

impl Writer<'_> {
    /// The time that a record is filed under: the end, else the start.
    pub(crate) fn stamp(&mut self, index: usize) -> Stamp {
        let (events, networks) = (self.batch.event_columns(), self.batch.network_columns());
        let (start, end) = match index.checked_sub(events.event_name.len()) {
            None => (events.start_time[index], events.end_time[index]),
            Some(row) => (networks.start_time[row], networks.end_time[row]),
        };
        self.times.bytes(if end.is_nan() { start } else { end })
    }

    /// Appends the document of an event by its place in the columns.
    pub(crate) fn event(&mut self, row: usize, stamp: &Stamp, tail: &[u8]) {
        let columns = self.batch.event_columns();
        self.head(columns.event_name[row], stamp, columns.start_time[row], columns.end_time[row]);
        self.json.bytes(Outcome::of_status(self.batch.text(columns.status[row])).as_str().as_bytes());
        self.json.raw(b"\"},\"metricast\":{\"status\":");
        self.json.text(&self.texts, columns.status[row]);
        self.json.raw(b",\"retry_count\":");
        self.json.number(columns.retry_count[row]);
        if !self.batch.text(columns.task_id[row]).is_empty() {
            self.json.raw(b",\"task_id\":");
            self.json.text(&self.texts, columns.task_id[row]);
        }
        self.attributes(row, b",\"attributes\":{");
        self.json.raw(b"}");
        if columns.process_id[row] != ABSENT {
            self.json.raw(b",\"process\":{\"pid\":");
            self.json.number(columns.process_id[row]);
            self.json.raw(b"}");
        }
        self.error(columns.error[row]);
        self.json.bytes(tail);
    }

    /// Appends the document of a network operation by its place in the columns.
    pub(crate) fn network(&mut self, row: usize, stamp: &Stamp, tail: &[u8]) {
        let columns = self.batch.network_columns();
        self.head(columns.operation[row], stamp, columns.start_time[row], columns.end_time[row]);
        let outcome = if columns.error[row] == ABSENT { Outcome::Success } else { Outcome::Failure };
        self.json.bytes(outcome.as_str().as_bytes());
        self.json.raw(b"\"}");
        self.metricast_of_network(row, columns.task_id[row]);
        self.json.raw(b",\"source\":{\"bytes\":");
        self.json.number(columns.bytes_sent[row]);
        self.json.raw(b"},\"destination\":{\"bytes\":");
        self.json.number(columns.bytes_received[row]);
        self.json.raw(b",\"address\":");
        self.json.text(&self.texts, columns.host[row]);
        if self.texts.is_address(columns.host[row]) {
            self.json.raw(b",\"ip\":");
            self.json.text(&self.texts, columns.host[row]);
        }
        if columns.port[row] != 0 {
            self.json.raw(b",\"port\":");
            self.json.number(columns.port[row]);
        }
        self.json.raw(b"}");
        self.error(columns.error[row]);
        self.json.bytes(tail);
    }

    /// From the beginning up to the value of `event.outcome`.
    fn head(&mut self, name: u32, stamp: &Stamp, start: f64, end: f64) {
        let json = &mut *self.json;
        json.raw(b"{\"@timestamp\":\"");
        json.raw(stamp);
        json.raw(b"\",\"event\":{\"kind\":\"event\",\"action\":");
        json.text(&self.texts, name);
        if end.is_nan() {
            json.raw(b",\"start\":\"");
            json.raw(stamp);
            json.raw(b"\"");
        } else {
            json.raw(b",\"start\":\"");
            json.raw(&self.times.bytes(start));
            json.raw(b"\",\"end\":\"");
            json.raw(stamp);
            json.raw(b"\",\"duration\":");
            json.number(nanoseconds(end - start));
        }
        json.raw(b",\"outcome\":\"");
    }

    fn metricast_of_network(&mut self, row: usize, task_id: u32) {
        let index = self.batch.event_columns().event_name.len() + row;
        let has_task = task_id != ABSENT && !self.batch.text(task_id).is_empty();
        if has_task {
            self.json.raw(b",\"metricast\":{\"task_id\":");
            self.json.text(&self.texts, task_id);
            self.attributes(index, b",\"attributes\":{");
            self.json.raw(b"}");
        } else if self.attributes(index, b",\"metricast\":{\"attributes\":{") {
            self.json.raw(b"}");
        }
    }

    /// Appends the attributes of a record after `open`; nothing where there are none.
    fn attributes(&mut self, index: usize, open: &[u8]) -> bool {
        let columns = self.batch.attribute_columns();
        let start = if index == 0 { 0 } else { columns.row_ends[index - 1] as usize };
        let mut separator = open;
        for pair in start..columns.row_ends[index] as usize {
            let key = columns.keys[pair];
            if self.texts.needs_escape(key) && self.batch.text(key).contains('\0') {
                self.dropped_attributes += 1;
                continue;
            }
            self.json.bytes(separator);
            self.json.text(&self.texts, key);
            self.json.raw(b":");
            self.json.text(&self.texts, columns.values[pair]);
            separator = b",";
        }
        let any = separator == b",";
        if any {
            self.json.raw(b"}");
        }
        any
    }

    fn error(&mut self, error: u32) {
        if error != ABSENT {
            self.json.raw(b",\"error\":{\"message\":");
            self.json.text(&self.texts, error);
            self.json.raw(b"}");
        }
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9 + 0.5) as u64
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
