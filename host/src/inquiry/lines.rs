//! What answers are made of. Times are RFC 3339 in UTC. A stranger's words are as they came: whoever shows them sees to
//! that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metricast_records::time::rfc3339;
use metricast_store::log::Epoch;
use metricast_store::meta::{self, Filed, Origin};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::filter::Kind;

/// One line of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// Dead letters with one reason.
    Group(Group),
    /// A dead letter.
    Letter(Box<Letter>),
    /// Dead letters that are in the queue again.
    Retried {
        /// For this publisher alone; refused lines that could be read now are for all.
        publisher: Option<String>,
        /// How many.
        count: u64,
    },
    /// A dead letter that could not be put into the queue again.
    Stays {
        /// Its number.
        number: u64,
        /// Why.
        reason: String,
    },
    /// A record of the log.
    Record(Record),
    /// What is not as it was written.
    Damage(Damage),
    /// The answer is whole.
    End(Summary),
    /// The answer breaks off.
    Failed(String),
}

/// What there was in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Records that were looked at.
    pub records: u64,
    /// Writes of the log that were looked at.
    pub frames: u64,
    /// Values of the database that were looked at.
    pub values: u64,
    /// Records left out because they are dead letters that were put into the queue again.
    pub retried: u64,
}

/// The dead letters of one publisher with one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// The publisher; none for refused lines.
    pub publisher: Option<String>,
    /// Why they are here.
    pub kind: Kind,
    /// The reason in words.
    pub reason: String,
    /// When the first was filed.
    pub first: String,
    /// When the last was filed.
    pub last: String,
    /// The number of the last.
    pub example: u64,
}

/// A dead letter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// Its number.
    pub number: u64,
    /// Why it is here.
    pub kind: Kind,
    /// The publisher; none for a refused line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// The publisher's plugin by name and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// The reason in words.
    pub reason: String,
    /// How often it was sent.
    pub attempts: u64,
    /// When it was taken in, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<String>,
    /// When it became a dead letter.
    pub filed: String,
    /// The record's name in the queue, with the offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// See the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Where a refused line came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Its place there, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<RawValue>>,
    /// The refused line, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The refused line, if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_base64: Option<String>,
}

/// A record of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Its name, with the offset.
    pub epoch: String,
    /// See the epoch.
    pub offset: u64,
    /// When it was taken in.
    pub received: String,
    /// It as JSON.
    pub record: Box<RawValue>,
}

/// What is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The file, from the queue's folder.
    pub file: String,
    /// Where in the file, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// The first and the last of the records that are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offsets: Option<(u64, u64)>,
    /// What is wrong.
    pub what: String,
}

impl Letter {
    pub(super) fn of(filed: Filed) -> Self {
        let Filed { number, letter } = filed;
        let meta::Letter { kind, origin, reason, plugin, attempts, received, filed } = letter;
        let mut this = Self {
            number,
            kind: kind.into(),
            publisher: None,
            plugin: Some(plugin).filter(|plugin| !plugin.is_empty()),
            reason,
            attempts,
            received: (received > 0.0).then(|| rfc3339(received)),
            filed: rfc3339(filed),
            epoch: None,
            offset: None,
            source: None,
            line: None,
            record: None,
            raw: None,
            raw_base64: None,
        };
        match origin {
            Origin::Record { publisher, epoch, offset, record } => {
                (this.publisher, this.epoch, this.offset) =
                    (Some(publisher), Some(Epoch(epoch).to_string()), Some(offset));
                this.record = record.and_then(|record| RawValue::from_string(record).ok());
            }
            Origin::Line { source, line, raw } => {
                (this.source, this.line) = (Some(source), Some(line));
                match raw.map(String::from_utf8) {
                    Some(Ok(text)) => this.raw = Some(text),
                    Some(Err(bytes)) => this.raw_base64 = Some(STANDARD.encode(bytes.as_bytes())),
                    None => {}
                }
            }
        }
        this
    }

    /// A refused line's bytes.
    pub fn raw_bytes(&self) -> Option<Vec<u8>> {
        let decoded = || self.raw_base64.as_ref().and_then(|text| STANDARD.decode(text).ok());
        self.raw.as_ref().map(|text| text.clone().into_bytes()).or_else(decoded)
    }
}
