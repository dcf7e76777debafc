//! What a plugin may say. Its answers are a stranger's: each is checked here while it becomes a type of the host's, and
//! an answer that breaks the contract costs the plugin its instance, never the host a record.
//!
//! Texts for a person are cut to a bound and lose their control characters, so that they fit on a line of a log or a
//! terminal and can do nothing there.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::bindings::types as raw;
use crate::limits::{LimitHit, Limits};
use crate::plugin::{
    Clause, Description, Exposition, Fault, Finding, Flushed, LateRejection, Profile, PublishError, Receipt, Rejection,
    Saved, Snippet, Verdict,
};

/// No backend's wish to wait is longer.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// Bytes of a name, a version, an epoch, a content type.
const NAME: usize = 128;
/// Bytes of a config's schema.
const SCHEMA: usize = 1 << 20;
/// Pairs of `extra`.
const EXTRA: usize = 64;
/// Findings of a probe, snippets of a config.
const ANSWERS: usize = 256;
/// Late rejections of one flush.
const LATE: usize = 1 << 20;
/// Bytes of a snippet's text.
const SNIPPET: usize = 256 << 10;

pub(crate) fn description(raw: raw::Description, limits: &Limits) -> Result<Description, Fault> {
    if !is_plain_name(&raw.name) {
        return Err(broken(
            Clause::Description,
            format!("its name {:?} is not short, lower case, with hyphens", text(&raw.name, NAME)),
        ));
    }
    if raw.version.is_empty() || raw.version.len() > NAME || !raw.version.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(broken(Clause::Description, format!("its version {:?} is none", text(&raw.version, NAME))));
    }
    bounded("schema bytes", raw.config_schema.len(), SCHEMA)?;
    bounded("extra pairs", raw.extra.len(), EXTRA)?;
    let config_schema: Value = serde_json::from_str(&raw.config_schema)
        .map_err(|error| broken(Clause::Description, format!("the schema of its config is no JSON: {error}")))?;
    if !config_schema.is_object() {
        return Err(broken(Clause::Description, "the schema of its config is no JSON object"));
    }
    let pair = |pair: raw::AttributeResult| (text(&pair.key, limits.text), text(&pair.value, limits.text));
    let extra = raw.extra.into_iter().map(pair).collect();
    Ok(Description { name: raw.name, version: raw.version, config_schema, extra })
}

pub(crate) fn profile(raw: raw::Profile) -> Result<Profile, Fault> {
    let Some(max_instances) = NonZeroU32::new(raw.max_instances) else {
        return Err(broken(Clause::Profile, "its profile allows no instance"));
    };
    if raw.flush_interval_ms == Some(0) {
        return Err(broken(Clause::Profile, "its profile asks for a flush every 0 ms"));
    }
    Ok(Profile {
        stateful: raw.stateful,
        max_instances: if raw.stateful { NonZeroU32::MIN } else { max_instances },
        flush_interval: raw.flush_interval_ms.map(|ms| Duration::from_millis(ms.into())),
        scrapes: raw.scrapes,
    })
}

/// Checks a receipt for a batch of `records`.
pub(crate) fn receipt(raw: raw::Receipt, records: usize, stateful: bool, limits: &Limits) -> Result<Receipt, Fault> {
    let counts = (raw.accepted as usize).checked_add(raw.rejected.len() + raw.retryable.len());
    if counts != Some(records) {
        let (accepted, rejected, retryable) = (raw.accepted, raw.rejected.len(), raw.retryable.len());
        return Err(broken(
            Clause::ReceiptSum,
            format!(
                "{accepted} accepted, {rejected} rejected and {retryable} retryable do not add up to {records} records"
            ),
        ));
    }
    if stateful && !raw.retryable.is_empty() {
        return Err(broken(
            Clause::ReceiptWhole,
            "it keeps state, and so answers for whole batches, but calls records retryable",
        ));
    }
    let rejected = raw.rejected.iter().map(|rejection| rejection.index);
    unique(rejected.chain(raw.retryable.iter().copied()), records, "the receipt")?;
    let retryable = sorted(raw.retryable);
    unique(raw.in_doubt.iter().copied(), records, "in-doubt")?;
    if let Some(index) = raw.in_doubt.iter().find(|index| retryable.binary_search(index).is_err()) {
        return Err(broken(Clause::ReceiptIndex, format!("record {index} is in doubt and not retryable")));
    }
    let mut rejected: Vec<_> = raw
        .rejected
        .into_iter()
        .map(|rejection| Rejection { index: rejection.index, reason: text(&rejection.reason, limits.text) })
        .collect();
    rejected.sort_unstable_by_key(|rejection| rejection.index);
    Ok(Receipt {
        accepted: raw.accepted,
        rejected,
        retryable,
        in_doubt: sorted(raw.in_doubt),
        retry_after: wait(raw.retry_after_ms),
    })
}

pub(crate) fn flushed(raw: raw::Flushed, limits: &Limits) -> Result<Flushed, Fault> {
    bounded("late rejections", raw.rejected.len(), LATE)?;
    let rejection = |raw: raw::LateRejection| LateRejection {
        epoch: text(&raw.epoch, NAME),
        offset: raw.offset,
        leg: text(&raw.leg, NAME),
        reason: text(&raw.reason, limits.text),
    };
    Ok(Flushed {
        pending: raw.pending,
        rejected: raw.rejected.into_iter().map(rejection).collect(),
        retry_after: wait(raw.retry_after_ms),
        reason: text(&raw.reason, limits.text),
    })
}

pub(crate) fn saved(raw: Option<raw::SavedResult>, stateful: bool, limits: &Limits) -> Result<Option<Saved>, Fault> {
    match raw {
        None if stateful => Err(broken(Clause::Snapshot, "it keeps state, but its snapshot is none")),
        Some(_) if !stateful => Err(broken(Clause::Snapshot, "it keeps no state, but gives a snapshot")),
        None => Ok(None),
        Some(raw) => {
            bounded("snapshot bytes", raw.state.len(), limits.snapshot)?;
            Ok(Some(Saved { version: raw.version, state: Bytes::from(raw.state), next_offset: raw.next_offset }))
        }
    }
}

pub(crate) fn exposition(raw: Option<raw::Exposition>, limits: &Limits) -> Result<Option<Exposition>, Fault> {
    let Some(raw) = raw else { return Ok(None) };
    let printable = raw.content_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if raw.content_type.is_empty() || raw.content_type.len() > NAME || !printable {
        return Err(broken(
            Clause::Exposition,
            format!("its content type {:?} is no header value", text(&raw.content_type, NAME)),
        ));
    }
    bounded("exposition bytes", raw.body.len(), limits.exposition)?;
    Ok(Some(Exposition { content_type: raw.content_type, body: Bytes::from(raw.body) }))
}

pub(crate) fn publish_error(raw: raw::PublishError, limits: &Limits) -> PublishError {
    let text = |words: String| text(&words, limits.text);
    match raw {
        raw::PublishError::Misconfigured(words) => PublishError::Misconfigured(text(words)),
        raw::PublishError::Unauthorized(words) => PublishError::Unauthorized(text(words)),
        raw::PublishError::Unavailable(raw) => {
            PublishError::Unavailable { reason: text(raw.reason), retry_after: wait(raw.retry_after_ms) }
        }
        raw::PublishError::Rejected(words) => PublishError::Rejected(text(words)),
        raw::PublishError::StateIncompatible(words) => PublishError::StateIncompatible(text(words)),
        raw::PublishError::Internal(words) => PublishError::Internal(text(words)),
    }
}

pub(crate) fn findings(raw: Vec<raw::Finding>, limits: &Limits) -> Result<Vec<Finding>, Fault> {
    bounded("findings", raw.len(), ANSWERS)?;
    let finding = |raw: raw::Finding| Finding {
        of: text(&raw.of, limits.text),
        question: text(&raw.question, NAME),
        verdict: match raw.verdict {
            raw::Verdict::Good => Verdict::Good,
            raw::Verdict::Warning => Verdict::Warning,
            raw::Verdict::Bad => Verdict::Bad,
            raw::Verdict::Unknown => Verdict::Unknown,
        },
        answer: text(&raw.answer, limits.text),
        fix: text(&raw.fix, limits.text),
    };
    Ok(raw.into_iter().map(finding).collect())
}

pub(crate) fn snippets(raw: Vec<raw::Snippet>, limits: &Limits) -> Result<Vec<Snippet>, Fault> {
    bounded("snippets", raw.len(), ANSWERS)?;
    let snippet = |raw: raw::Snippet| {
        if !is_plain_name(&raw.name) {
            return Err(broken(
                Clause::Advice,
                format!("a snippet's name {:?} is not short, lower case, with hyphens", text(&raw.name, NAME)),
            ));
        }
        bounded("snippet bytes", raw.text.len(), SNIPPET)?;
        let lines = raw.text.lines().map(|line| text(line, SNIPPET) + "\n").collect();
        Ok(Snippet { name: raw.name, about: text(&raw.about, limits.text), text: lines })
    };
    raw.into_iter().map(snippet).collect()
}

/// A stranger's words in at most `limit` bytes, on one line, without control characters.
pub(crate) fn text(words: &str, limit: usize) -> String {
    const MORE: &str = "…";
    let cut =
        if words.len() <= limit { words.len() } else { words.floor_char_boundary(limit.saturating_sub(MORE.len())) };
    let shown = words[..cut].chars().map(|char| if char.is_control() { ' ' } else { char });
    let more = if cut < words.len() { MORE } else { "" };
    shown.chain(more.chars()).collect()
}

fn is_plain_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.len() <= NAME && name.bytes().all(is_plain)
}

fn unique(indexes: impl Iterator<Item = u32> + Clone, records: usize, whose: &str) -> Result<(), Fault> {
    if indexes.clone().next().is_none() {
        return Ok(());
    }
    let mut seen = vec![false; records];
    for index in indexes {
        match seen.get_mut(index as usize) {
            None => return Err(broken(Clause::ReceiptIndex, format!("{whose} names record {index} of {records}"))),
            Some(true) => return Err(broken(Clause::ReceiptIndex, format!("{whose} names record {index} twice"))),
            Some(seen) => *seen = true,
        }
    }
    Ok(())
}

fn sorted(mut indexes: Vec<u32>) -> Vec<u32> {
    indexes.sort_unstable();
    indexes
}

fn wait(ms: Option<u64>) -> Option<Duration> {
    ms.map(|ms| Duration::from_millis(ms).min(LONGEST_WAIT))
}

fn bounded(name: &'static str, requested: usize, limit: usize) -> Result<(), Fault> {
    if requested <= limit {
        return Ok(());
    }
    Err(Fault::Limit(LimitHit { name, limit: limit as u64, current: 0, requested: requested as u64 }))
}

fn broken(clause: Clause, what: impl Into<String>) -> Fault {
    Fault::Untrusted { clause, what: what.into() }
}

#[cfg(test)]
mod tests;
