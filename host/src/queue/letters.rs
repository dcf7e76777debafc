//! Dead letters as the queue files them: records that a publisher did not take, with the reason.

use metricast_records::{Record, dictionary};
use metricast_store::meta::{Kind, Letter, MAX_NAME, Origin};

use crate::clock;
use crate::untrusted;

/// Bytes of a reason that are kept.
const REASON: usize = 4 << 10;

/// Whose letters they are.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    /// The publisher.
    pub(crate) publisher: String,
    /// Its plugin by name and version.
    pub(crate) plugin: String,
}

impl Sender {
    /// A record of a batch of `epoch`.
    pub(crate) fn letter(&self, epoch: &str, record: &Record<'_>, kind: Kind, reason: &str, attempts: u32) -> Letter {
        let text = dictionary::to_string(&record.metrics);
        let received = record.received;
        self.of(epoch, record.offset, Some(text), kind, reason, attempts, received)
    }

    /// A record that is not at hand any more.
    pub(crate) fn gone(&self, epoch: &str, offset: u64, reason: &str) -> Letter {
        self.of(epoch, offset, None, Kind::Late, reason, 1, 0.0)
    }

    #[expect(clippy::too_many_arguments, reason = "they are the letter's fields")]
    fn of(
        &self,
        epoch: &str,
        offset: u64,
        record: Option<String>,
        kind: Kind,
        reason: &str,
        attempts: u32,
        received: f64,
    ) -> Letter {
        let publisher = self.publisher.clone();
        Letter {
            kind,
            origin: Origin::Record { publisher, epoch: epoch_bytes(epoch), offset, record },
            reason: untrusted::text(reason, REASON),
            plugin: self.plugin.clone(),
            attempts: attempts.into(),
            received,
            filed: clock::now(),
        }
    }
}

/// A line that a source could not read.
pub(crate) fn refused(source: &str, line: u64, raw: &[u8], reason: &str) -> Letter {
    /// Bytes of it that are kept.
    const RAW: usize = 64 << 10;
    let raw = raw[..raw.len().min(RAW)].to_vec();
    let source = untrusted::text(source, MAX_NAME);
    let now = clock::now();
    Letter {
        kind: Kind::Refused,
        origin: Origin::Line { source, line, raw: Some(raw) },
        reason: untrusted::text(reason, REASON),
        plugin: String::new(),
        attempts: 0,
        received: now,
        filed: now,
    }
}

/// An epoch's 24 hexadecimal digits as bytes; zeros where a plugin made it up.
pub(crate) fn epoch_bytes(epoch: &str) -> [u8; 12] {
    let digit = |at: usize| epoch.get(at..at + 1).and_then(|digit| u8::from_str_radix(digit, 16).ok()).unwrap_or(0);
    std::array::from_fn(|index| digit(2 * index) << 4 | digit(2 * index + 1))
}

#[cfg(test)]
mod tests {
    use metricast_store::log::Epoch;

    use super::*;

    #[test]
    fn an_epochs_text_is_its_bytes() {
        let epoch = Epoch::random();
        assert_eq!(epoch_bytes(&epoch.to_string()), epoch.0);
        assert_eq!(epoch_bytes("é"), [0; 12]);
    }
}
