//! A plugin that keeps every rule of the contract but one: the one whose name a test writes over `BREAKS` in the
//! component's file. It counts records, keeps the count as its state, and shows it.
#![cfg(target_arch = "wasm32")]

use std::cell::Cell;
use std::hint::black_box;
use std::time::{SystemTime, UNIX_EPOCH};

use metricast_sdk::bindings::exports::metricast::publisher::publisher::{Guest, GuestPublisher, Publisher};
use metricast_sdk::bindings::metricast::publisher::types::{
    Attribute, Batch, Description, EventMetrics, Exposition, Finding, Flushed, LateRejection, Metrics, NetworkMetrics,
    Profile, PublishError, Receipt, Rejection, Saved, Snippet, Verdict,
};
use metricast_sdk::dictionary;

/// What a test looks for in the component's file, and writes a rule's name over, filled up with blanks.
static BREAKS: [u8; 32] = *b"THE RULE THAT THIS PLUGIN BREAKS";

/// The state's one version.
const VERSION: u32 = 1;

/// The state begins with it.
const MAGIC: [u8; 4] = *b"rule";

/// What a record says that the plugin breaks on, by one of its rules.
const POISON: &[u8] = b"break me";

struct Rulebreaker;

struct Open {
    records: Cell<u64>,
    next_offset: Cell<u64>,
}

fn breaks(rule: &str) -> bool {
    let name = black_box(&BREAKS);
    name.trim_ascii_end() == rule.as_bytes()
}

fn misconfigured<T>(what: &str) -> Result<T, PublishError> {
    Err(PublishError::Misconfigured(what.to_owned()))
}

/// It has no settings.
fn parse(config: &str) -> Result<(), PublishError> {
    match serde_json::from_str::<serde_json::Value>(config) {
        Ok(serde_json::Value::Object(settings)) => match settings.keys().next() {
            Some(key) if breaks("unknown-key (unnamed)") => misconfigured(&format!("unknown key {key}")),
            Some(key) if !breaks("unknown-key") => misconfigured(&format!("{key}: unknown key; there is none")),
            _ => Ok(()),
        },
        _ if breaks("not-a-config") => Ok(()),
        Ok(_) => misconfigured("a JSON object is wanted"),
        Err(error) => misconfigured(&error.to_string()),
    }
}

impl Guest for Rulebreaker {
    type Publisher = Open;

    fn describe() -> Description {
        let version = if breaks("description") { "one" } else { "0.1.0" };
        Description {
            name: "rulebreaker".to_owned(),
            version: version.to_owned(),
            config_schema: r#"{"type": "object", "properties": {}}"#.to_owned(),
            extra: if breaks("description (split)") { vec![split_by_nothing()] } else { Vec::new() },
        }
    }

    fn format_metrics(metrics: Metrics) -> String {
        let metrics = metricast_sdk::Metrics::from(metrics);
        let text = dictionary::to_string(&metrics.as_ref());
        if breaks("dictionary") { text.replacen("metric_type", "kind", 1) } else { text }
    }

    fn check(config: String) -> Result<(), PublishError> {
        if breaks("config") && config == "{}" {
            Err(PublishError::Internal("not today".to_owned()))
        } else {
            parse(&config)
        }
    }

    fn probe(config: String) -> Result<Vec<Finding>, PublishError> {
        parse(&config)?;
        let fix = if breaks("advice") { "" } else { "nothing: there is no backend" };
        let [of, question, answer, fix] = ["", "reachable", "no", fix].map(str::to_owned);
        Ok(vec![Finding { of, question, verdict: Verdict::Bad, answer, fix }])
    }

    fn snippets(config: String) -> Result<Vec<Snippet>, PublishError> {
        parse(&config)?;
        Ok(Vec::new())
    }
}

impl GuestPublisher for Open {
    fn open(config: String, state: Option<Saved>) -> Result<Publisher, PublishError> {
        if !breaks("not-a-config (open)") || config.starts_with("{\"m") {
            parse(&config)?;
        }
        let (records, next_offset) = state.map_or(Ok((0, 0)), |saved| restored(&saved))?;
        Ok(Publisher::new(Self { records: Cell::new(records), next_offset: Cell::new(next_offset) }))
    }

    #[expect(clippy::disallowed_methods, reason = "any number that is another one each time")]
    fn profile(&self) -> Profile {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
        let flush_interval_ms = breaks("profile").then_some(now + 1);
        Profile { stateful: true, max_instances: 1, flush_interval_ms, scrapes: true }
    }

    fn publish_event_metrics(&self, _: EventMetrics) -> Result<Receipt, PublishError> {
        self.publish_one()
    }

    fn publish_network_metrics(&self, _: NetworkMetrics) -> Result<Receipt, PublishError> {
        self.publish_one()
    }

    fn publish_batch(&self, batch: Batch) -> Result<Receipt, PublishError> {
        refuse(&batch)?;
        let records = batch.offsets.len() as u32;
        if records > 0 {
            self.count(&batch);
        }
        Ok(receipt(records))
    }

    fn flush(&self) -> Result<Flushed, PublishError> {
        assert!(!breaks("no-trap"), "as its file says");
        if breaks("bounds") {
            black_box(vec![1_u8; 1 << 30]);
        }
        Ok(Flushed {
            pending: u64::from(breaks("flush")),
            rejected: Vec::new(),
            retry_after_ms: None,
            reason: String::new(),
        })
    }

    fn close(&self) -> Result<Flushed, PublishError> {
        let late = LateRejection { epoch: "another".to_owned(), offset: 7, leg: String::new(), reason: String::new() };
        let rejected = if breaks("close") { vec![late] } else { Vec::new() };
        Ok(Flushed { pending: 0, rejected, retry_after_ms: None, reason: String::new() })
    }

    fn snapshot(&self) -> Option<Saved> {
        let state = [&MAGIC[..], &self.records.get().to_le_bytes()].concat();
        // Once, so that a state that is restored is still the one that was saved.
        let is_wrong = breaks("snapshot") && self.next_offset.get() < 100;
        let next_offset = if is_wrong { 0 } else { self.next_offset.get() };
        Some(Saved { version: VERSION, state, next_offset })
    }

    fn scrape(&self, _accept: String) -> Option<Exposition> {
        let body = format!("records_total {}\n", self.records.get()).into_bytes();
        let exposition = Exposition { content_type: "text/plain; version=0.0.4".to_owned(), body };
        (!breaks("scrape")).then_some(exposition)
    }
}

impl Open {
    fn publish_one(&self) -> Result<Receipt, PublishError> {
        if breaks("single-record") {
            return Err(PublishError::Internal("only batches".to_owned()));
        }
        self.records.set(self.records.get() + 1);
        if breaks("single-record (place)") {
            self.next_offset.set(self.next_offset.get() + 1);
        }
        Ok(receipt(1))
    }

    fn count(&self, batch: &Batch) {
        let next = if breaks("repeat") { 0 } else { self.next_offset.get() };
        let mut new = batch.offsets.iter().filter(|offset| **offset >= next).count() as u64;
        if breaks("repeat (overlapping)") && new > 0 {
            new = batch.offsets.len() as u64;
        }
        self.records.set(self.records.get() + new);
        let last = batch.offsets.iter().max().copied().unwrap_or_default();
        self.next_offset.set(self.next_offset.get().max(last + 1));
    }
}

fn split_by_nothing() -> Attribute {
    Attribute { key: "split-by".to_owned(), value: "signals".to_owned() }
}

fn restored(saved: &Saved) -> Result<(u64, u64), PublishError> {
    let count = saved.state.strip_prefix(&MAGIC[..]).and_then(|count| count.try_into().ok()).map(u64::from_le_bytes);
    match count {
        Some(_) if saved.version == VERSION && breaks("restore") => Ok((0, saved.next_offset)),
        Some(count) if saved.version == VERSION => Ok((count, saved.next_offset)),
        _ if breaks("foreign-state") => Ok((0, 0)),
        _ => Err(PublishError::StateIncompatible("not this plugin's".to_owned())),
    }
}

/// Refuses, by the rule that is broken, what should be taken.
fn refuse(batch: &Batch) -> Result<(), PublishError> {
    let is_poison = breaks("no-trap (record)") && batch.text.windows(POISON.len()).any(|text| text == POISON);
    assert!(!is_poison, "as the record says");
    let refused = match batch.offsets.len() {
        0 if breaks("empty-batch") => return Err(PublishError::Rejected("nothing in it".to_owned())),
        many if many > 5_000 => breaks("large-batch"),
        _ => {
            let is_hostile = batch.text.contains(&b'\n') && breaks("hostile-text");
            let is_extreme = batch.networks.bytes_sent.contains(&u64::MAX) && breaks("extreme-numbers");
            is_hostile || is_extreme
        }
    };
    if refused { Err(PublishError::Internal("too hard".to_owned())) } else { Ok(()) }
}

fn receipt(records: u32) -> Receipt {
    let mut receipt = Receipt {
        accepted: records,
        rejected: Vec::new(),
        retryable: Vec::new(),
        in_doubt: Vec::new(),
        retry_after_ms: None,
    };
    if breaks("receipt-sum") {
        receipt.accepted += 1;
    } else if breaks("receipt-index") && records > 0 {
        receipt.accepted -= 1;
        receipt.rejected = vec![Rejection { index: records, reason: String::new() }];
    } else if breaks("receipt-whole") && records > 0 {
        receipt.accepted -= 1;
        receipt.retryable = vec![0];
    }
    receipt
}

metricast_sdk::bindings::export_plugin!(Rulebreaker with_types_in metricast_sdk::bindings);
