//! What the metrics of one run leave to the next, as bytes.
//!
//! # The format, version 1
//! All numbers are little-endian and of fixed width; bytes and texts stand behind their length (`u32`).
//!
//! | part | bytes |
//! |---|---|
//! | magic | `mcgcloud` |
//! | checksum | `u32`, CRC-32 (IEEE) of all that follows |
//! | dialect | `u8`: 0 OTLP, 1 remote write, 2 remote write of a receiver that was seen to know 2.0 |
//! | its receiver | text: the address that the dialect is known of |
//! | found | `u8`: 0 nothing, 1 what follows: the question, the address and the user, texts |
//! | version of the series | `u32` |
//! | series | bytes: the registry's own snapshot |
//! | sent | bytes: what was sent of it |
//!
//! The version stands beside the bytes, in what the host keeps. What cannot be read is refused and never guessed.

use metricast_sdk::{PublishError, Saved};
use metricast_series::push::Sent;

use super::dialect::Dialect;
use crate::address::Address;
use crate::discovery::Remembered;
use crate::place::Target;

/// The version that is written, and the only one that is read.
pub(crate) const VERSION: u32 = 1;

const MAGIC: &[u8; 8] = b"mcgcloud";

/// What one run leaves to the next.
#[derive(Debug)]
pub(crate) struct State {
    /// The aggregates.
    pub(crate) series: Saved,
    /// What was sent of them.
    pub(crate) sent: Sent,
    /// How the receiver is spoken to next.
    pub(crate) dialect: Dialect,
    /// Whom the dialect is known of.
    pub(crate) receiver: String,
    /// Where the signal goes, if that was found.
    pub(crate) found: Option<Remembered>,
}

impl State {
    /// As the host keeps it.
    pub(crate) fn write(&self) -> Saved {
        let mut body = vec![match self.dialect {
            Dialect::Otlp => 0,
            // A receiver that does not know 2.0 may by then: it is tried again.
            Dialect::Second { confirmed: false } | Dialect::First { .. } => 1,
            Dialect::Second { confirmed: true } => 2,
        }];
        block(self.receiver.as_bytes(), &mut body);
        body.push(u8::from(self.found.is_some()));
        if let Some(Remembered { question, target: Target { url, user } }) = &self.found {
            for text in [question, url.as_str(), user.as_deref().unwrap_or_default()] {
                block(text.as_bytes(), &mut body);
            }
        }
        body.extend_from_slice(&self.series.version.to_le_bytes());
        block(&self.series.state, &mut body);
        let mut sent = Vec::new();
        self.sent.write(&mut sent);
        block(&sent, &mut body);
        let state = [MAGIC.as_slice(), &crc32fast::hash(&body).to_le_bytes(), &body].concat();
        Saved { version: VERSION, state, next_offset: self.series.next_offset }
    }

    /// What [`write`](Self::write) gave.
    ///
    /// # Errors
    /// `state-incompatible` where it is of another version, or damaged.
    pub(crate) fn read(saved: &Saved) -> Result<Self, PublishError> {
        if saved.version != VERSION {
            let found = saved.version;
            return Err(PublishError::StateIncompatible(format!(
                "the state has version {found}, this plugin's is {VERSION}"
            )));
        }
        let damaged = || PublishError::StateIncompatible("the state is damaged".to_owned());
        let mut bytes = Bytes(saved.state.strip_prefix(MAGIC).ok_or_else(damaged)?);
        let checksum = bytes.u32().ok_or_else(damaged)?;
        if checksum != crc32fast::hash(bytes.0) {
            return Err(damaged());
        }
        let (state, sent) = bytes.state(saved.next_offset).ok_or_else(damaged)?;
        let sent = Sent::restore(sent).map_err(|error| PublishError::StateIncompatible(error.to_string()))?;
        Ok(Self { sent, ..state })
    }
}

fn block(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).expect("a sandbox has less than 4 GiB");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn block(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.block()?.to_vec()).ok()
    }

    /// All of it; what was sent is still in bytes.
    fn state(mut self, next_offset: u64) -> Option<(State, &'a [u8])> {
        let dialect = match self.u8()? {
            0 => Dialect::Otlp,
            1 => Dialect::Second { confirmed: false },
            2 => Dialect::Second { confirmed: true },
            _ => return None,
        };
        let receiver = self.text()?;
        let found = match self.u8()? {
            0 => None,
            1 => Some(self.found()?),
            _ => return None,
        };
        let (version, state) = (self.u32()?, self.block()?.to_vec());
        let sent = self.block()?;
        let series = Saved { version, state, next_offset };
        self.0.is_empty().then(|| (State { series, sent: Sent::default(), dialect, receiver, found }, sent))
    }

    fn found(&mut self) -> Option<Remembered> {
        let (question, url, user) = (self.text()?, self.text()?, self.text()?);
        let target = Target { url: Address::parse(&url).ok()?, user: Some(user).filter(|user| !user.is_empty()) };
        Some(Remembered { question, target })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state() -> State {
        let target =
            Target { url: Address::parse("https://a.grafana.net/api/prom/push").unwrap(), user: Some("7".into()) };
        State {
            series: Saved { version: 1, state: vec![1, 2, 3], next_offset: 42 },
            sent: Sent::default(),
            dialect: Dialect::Second { confirmed: true },
            receiver: target.url.to_string(),
            found: Some(Remembered { question: "shop eu".to_owned(), target }),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let saved = state().write();
        let read = State::read(&saved).unwrap();
        assert_eq!((read.series.clone(), read.found.clone()), (state().series, state().found));
        assert_eq!((read.dialect, read.receiver.as_str()), (state().dialect, "https://a.grafana.net/api/prom/push"));
        assert_eq!(read.write(), saved);
        let without = State { found: None, dialect: Dialect::Otlp, ..state() };
        assert_eq!(State::read(&without.write()).unwrap().write(), without.write());
    }

    #[test]
    fn what_only_this_run_goes_by_is_not_remembered() {
        for on_trial in [false, true] {
            let first = State { dialect: Dialect::First { on_trial }, ..state() };
            assert_eq!(State::read(&first.write()).unwrap().dialect, Dialect::Second { confirmed: false });
        }
    }

    #[test]
    fn another_version_and_damage_are_refused() {
        let saved = state().write();
        let newer = Saved { version: 2, ..saved.clone() };
        let expected = PublishError::StateIncompatible("the state has version 2, this plugin's is 1".to_owned());
        assert_eq!(State::read(&newer).unwrap_err(), expected);
        for at in 0..saved.state.len() {
            let mut damaged = saved.clone();
            damaged.state[at] ^= 0x10;
            assert!(matches!(State::read(&damaged), Err(PublishError::StateIncompatible(_))), "byte {at}");
            damaged.state.truncate(at);
            assert!(matches!(State::read(&damaged), Err(PublishError::StateIncompatible(_))), "cut at {at}");
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_do_no_harm(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let state = [MAGIC.as_slice(), &crc32fast::hash(&body).to_le_bytes(), &body].concat();
            let saved = Saved { version: VERSION, state, next_offset: 0 };
            let read = State::read(&saved);
            prop_assert!(!matches!(read, Err(error) if !matches!(error, PublishError::StateIncompatible(_))));
        }
    }
}
