//! A record's keys with their values as they stood in the JSON, before the kind of the record is known.

use std::borrow::Cow;

use super::value::{Value, quoted};
use super::{MAX_ATTRIBUTES, Pairs, Refusal, Text};

/// The keys that have a meaning in a record of one kind or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    MetricType,
    EventName,
    Operation,
    TaskId,
    StartTime,
    EndTime,
    Timestamp,
    Duration,
    Latency,
    Status,
    Error,
    RetryCount,
    ProcessId,
    Host,
    Port,
    BytesSent,
    BytesReceived,
}

impl Key {
    pub(super) const ALL: [(Self, &'static str); 17] = [
        (Self::MetricType, "metric_type"),
        (Self::EventName, "event_name"),
        (Self::Operation, "operation"),
        (Self::TaskId, "task_id"),
        (Self::StartTime, "start_time"),
        (Self::EndTime, "end_time"),
        (Self::Timestamp, "timestamp"),
        (Self::Duration, "duration"),
        (Self::Latency, "latency"),
        (Self::Status, "status"),
        (Self::Error, "error"),
        (Self::RetryCount, "retry_count"),
        (Self::ProcessId, "process_id"),
        (Self::Host, "host"),
        (Self::Port, "port"),
        (Self::BytesSent, "bytes_sent"),
        (Self::BytesReceived, "bytes_received"),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        // No two have both the length and the first letter in common.
        let alike = match (name.len(), *name.as_bytes().first()?) {
            (11, b'm') => Self::MetricType,
            (10, b'e') => Self::EventName,
            (9, b'o') => Self::Operation,
            (7, b't') => Self::TaskId,
            (10, b's') => Self::StartTime,
            (8, b'e') => Self::EndTime,
            (9, b't') => Self::Timestamp,
            (8, b'd') => Self::Duration,
            (7, b'l') => Self::Latency,
            (6, b's') => Self::Status,
            (5, b'e') => Self::Error,
            (11, b'r') => Self::RetryCount,
            (10, b'p') => Self::ProcessId,
            (4, b'h') => Self::Host,
            (4, b'p') => Self::Port,
            (10, b'b') => Self::BytesSent,
            (14, b'b') => Self::BytesReceived,
            _ => return None,
        };
        (alike.name() == name).then_some(alike)
    }

    pub(super) fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The keys of a record, each at most once.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    known: [Option<Value<'a>>; Key::ALL.len()],
    attributes: Pairs<'a>,
    /// Keys of attributes that are null: left out, but they stand there.
    nulls: Vec<Text<'a>>,
}

impl<'a> Fields<'a> {
    /// Takes the value of a key; what stood for it before is lost.
    pub(super) fn take(&mut self, key: Key) -> Option<Value<'a>> {
        self.known[key as usize].take()
    }

    /// Whether a key stands there with another value than null.
    pub(super) fn has(&self, key: Key) -> bool {
        !matches!(self.known[key as usize], None | Some(Value::Null))
    }

    pub(super) fn insert_known(&mut self, key: Key, value: Value<'a>) -> Result<(), Refusal> {
        match self.known[key as usize].replace(value) {
            None => Ok(()),
            Some(_) => Err(twice(key.name())),
        }
    }

    pub(super) fn insert_attribute(&mut self, key: Text<'a>, value: Value<'a>) -> Result<(), Refusal> {
        if self.attributes.iter().any(|(known, _)| *known == key) || self.nulls.contains(&key) {
            return Err(twice(&key));
        }
        if self.attributes.len() + self.nulls.len() == MAX_ATTRIBUTES {
            return Err(Refusal(format!(
                "{}: one attribute (key that metricast does not know) too many, a record has at most {MAX_ATTRIBUTES}",
                quoted(&key)
            )));
        }
        match value.into_attribute() {
            Some(value) => self.attributes.push((key, value)),
            None => self.nulls.push(key),
        }
        Ok(())
    }

    /// The attributes, with the keys that mean nothing in a record of this kind.
    pub(super) fn take_attributes(&mut self, meaningless: &[Key]) -> Result<Pairs<'a>, Refusal> {
        for &key in meaningless {
            if let Some(value) = self.take(key) {
                self.insert_attribute(Cow::Borrowed(key.name()), value)?;
            }
        }
        Ok(std::mem::take(&mut self.attributes))
    }
}

fn twice(key: &str) -> Refusal {
    Refusal(format!("{}: the key stands twice", quoted(key)))
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn a_key_stands_at_its_own_place() {
        for (at, (key, name)) in Key::ALL.into_iter().enumerate() {
            assert_eq!(key as usize, at);
            assert_eq!(key.name(), name);
            assert_eq!(Key::named(name), Some(key));
        }
    }
}
