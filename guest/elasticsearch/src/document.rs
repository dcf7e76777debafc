//! One record as one document: the names of the Elastic Common Schema where it has one, `metricast.*` where not.
//!
//! | field | value |
//! |---|---|
//! | `@timestamp` | the end, else the start |
//! | `event.action`, `event.kind` | the event's name or the operation; `event` |
//! | `event.start`, `event.end`, `event.duration` | times; nanoseconds; the last two only with an end |
//! | `event.outcome` | `success`, `failure` or `unknown` |
//! | `metricast.task_id`, `metricast.status`, `metricast.retry_count` | as the record has them; the last two of events |
//! | `metricast.attributes` | the attributes that are no labels |
//! | `labels.*` | as the config says: texts, and attributes |
//! | `process.pid` | of events that have one |
//! | `destination.address`, `destination.ip`, `destination.port` | of network operations; the second only of a literal address, the third where it is known |
//! | `source.bytes`, `destination.bytes` | sent, received |
//! | `error.message` | where there is an error, be it an empty one |
//! | `service.*`, `host.name`, `data_stream.*` | as the config says |
//! | `ecs.version` | [`ECS`] |
//!
//! Times are text with microseconds: a JSON number would be taken as milliseconds.

use std::ops::Range;

use metricast_sdk::batch::ABSENT;
use metricast_sdk::time::Rfc3339;
use metricast_sdk::{Batch, Outcome};

use crate::json::{Json, Key, Texts};
use crate::labels::Labels;
use crate::layout::Scheme;
use crate::options::Options;
use crate::template::IGNORE_ABOVE;

/// The version of the Elastic Common Schema that the fields are of.
pub(crate) const ECS: &str = "8.17.0";

/// Elasticsearch indexes key and value of a `flattened` field as one term, of so many bytes at most with a byte
/// between them. A value of more than [`IGNORE_ABOVE`] characters is not indexed.
const LONGEST_TERM: usize = 32_766;

/// What is the same in all documents of one kind: the end of each, from a comma on.
#[derive(Debug)]
pub(crate) struct Tail {
    /// Where no attribute of the record is a label.
    plain: Vec<u8>,
    /// Where `labels` is open and has a member.
    in_labels: Vec<u8>,
}

impl Tail {
    pub(crate) fn new(options: &Options, kind: &str) -> Self {
        let labels = &options.labels.fixed;
        let rest = rest(options, kind);
        let mut open = Json::default();
        for (name, value) in labels {
            open.raw(b",");
            open.member(name, value);
        }
        open.raw(b"}");
        let plain = match open.as_bytes() {
            b"}" => Vec::new(),
            members => [b",\"labels\":{", &members[1..]].concat(),
        };
        Self { plain: [&plain, rest.as_slice()].concat(), in_labels: [open.as_bytes(), &rest].concat() }
    }
}

/// From the end of the labels on.
fn rest(options: &Options, kind: &str) -> Vec<u8> {
    let who = &options.who;
    let mut json = Json::default();
    json.raw(br#","ecs":{"version":""#);
    json.bytes(ECS.as_bytes());
    json.raw(br#""}"#);
    let mut separator = ",\"service\":{";
    for (name, value) in [("name", &who.service), ("namespace", &who.namespace), ("environment", &who.environment)] {
        if let Some(value) = value {
            json.bytes(separator.as_bytes());
            json.member(name, value);
            separator = ",";
        }
    }
    if let Some(instance) = &who.instance {
        json.bytes(separator.as_bytes());
        json.raw(b"\"node\":{");
        json.member("name", instance);
        json.raw(b"}");
        separator = ",";
    }
    if separator == "," {
        json.raw(b"}");
    }
    if let Some(host) = &who.host {
        json.raw(b",\"host\":{");
        json.member("name", host);
        json.raw(b"}");
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
    pub(crate) labels: &'a Labels,
    pub(crate) left_out: LeftOut,
}

/// How many attributes could not stand in their documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The key has a NUL in it, which Elasticsearch's `flattened` refuses.
    pub(crate) unfit: usize,
    /// Key and value are longer together than Lucene takes.
    pub(crate) long: usize,
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
    pub(crate) fn event(&mut self, row: usize, stamp: &Stamp, tail: &Tail) {
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
        let labelled = self.attributes(row, b",\"attributes\":{").labelled;
        self.json.raw(b"}");
        if columns.process_id[row] != ABSENT {
            self.json.raw(b",\"process\":{\"pid\":");
            self.json.number(columns.process_id[row]);
            self.json.raw(b"}");
        }
        self.error(columns.error[row]);
        self.end(row, labelled, tail);
    }

    /// Appends the document of a network operation by its place in the columns.
    pub(crate) fn network(&mut self, row: usize, stamp: &Stamp, tail: &Tail) {
        let columns = self.batch.network_columns();
        self.head(columns.operation[row], stamp, columns.start_time[row], columns.end_time[row]);
        let outcome = if columns.error[row] == ABSENT { Outcome::Success } else { Outcome::Failure };
        self.json.bytes(outcome.as_str().as_bytes());
        self.json.raw(b"\"}");
        let labelled = self.metricast_of_network(row, columns.task_id[row]);
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
        self.end(self.batch.event_columns().event_name.len() + row, labelled, tail);
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

    /// Whether an attribute of it is a label.
    fn metricast_of_network(&mut self, row: usize, task_id: u32) -> bool {
        let index = self.batch.event_columns().event_name.len() + row;
        let has_task = task_id != ABSENT && !self.batch.text(task_id).is_empty();
        if has_task {
            self.json.raw(b",\"metricast\":{\"task_id\":");
            self.json.text(&self.texts, task_id);
            let labelled = self.attributes(index, b",\"attributes\":{").labelled;
            self.json.raw(b"}");
            return labelled;
        }
        let Seen { labelled, written } = self.attributes(index, b",\"metricast\":{\"attributes\":{");
        if written {
            self.json.raw(b"}");
        }
        labelled
    }

    fn pairs(&self, index: usize) -> Range<usize> {
        let ends = &self.batch.attribute_columns().row_ends;
        let start = if index == 0 { 0 } else { ends[index - 1] as usize };
        start..ends[index] as usize
    }

    /// Appends the attributes of a record that are no labels after `open`; nothing where there are none.
    fn attributes(&mut self, index: usize, open: &[u8]) -> Seen {
        let columns = self.batch.attribute_columns();
        let mut seen = Seen::default();
        for pair in self.pairs(index) {
            let (key, value) = (columns.keys[pair], columns.values[pair]);
            let labels = self.labels;
            match self.texts.key(key, |key| judge(key, labels)) {
                Key::Plain => {}
                Key::Long if is_indexable(self.batch.text(key), self.batch.text(value)) => {}
                Key::Long => {
                    self.left_out.long += 1;
                    continue;
                }
                Key::Unfit => {
                    self.left_out.unfit += 1;
                    continue;
                }
                Key::Label => {
                    // An empty label says nothing.
                    seen.labelled |= value != 0;
                    continue;
                }
            }
            self.json.bytes(if seen.written { b"," } else { open });
            self.json.text(&self.texts, key);
            self.json.raw(b":");
            self.json.text(&self.texts, value);
            seen.written = true;
        }
        if seen.written {
            self.json.raw(b"}");
        }
        seen
    }

    /// Appends the attributes that are labels, and the rest.
    fn end(&mut self, index: usize, labelled: bool, tail: &Tail) {
        if !labelled {
            return self.json.bytes(&tail.plain);
        }
        let columns = self.batch.attribute_columns();
        let mut open: &[u8] = b",\"labels\":{";
        for pair in self.pairs(index) {
            let (key, value) = (columns.keys[pair], columns.values[pair]);
            let Some(name) = self.labels.of_attribute(self.batch.text(key)).filter(|_| value != 0) else { continue };
            self.json.bytes(open);
            self.json.escaped(name);
            self.json.raw(b":");
            self.json.text(&self.texts, value);
            open = b",";
        }
        self.json.bytes(&tail.in_labels);
    }

    fn error(&mut self, error: u32) {
        if error != ABSENT {
            self.json.raw(b",\"error\":{\"message\":");
            self.json.text(&self.texts, error);
            self.json.raw(b"}");
        }
    }
}

/// What is known of a record's attributes once they are written.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    labelled: bool,
    written: bool,
}

fn judge(key: &str, labels: &Labels) -> Key {
    if labels.of_attribute(key).is_some() {
        Key::Label
    } else if key.contains('\0') {
        Key::Unfit
    } else if key.len() >= LONGEST_TERM - 4 * IGNORE_ABOVE {
        Key::Long
    } else {
        Key::Plain
    }
}

fn is_indexable(key: &str, value: &str) -> bool {
    key.len() + 1 + value.len() <= LONGEST_TERM || (key.len() < LONGEST_TERM && value.chars().count() > IGNORE_ABOVE)
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9 + 0.5) as u64
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
