//! What a response to `_bulk` says of each record.
//!
//! | an item's status | the record |
//! |---|---|
//! | 200, 201 | accepted |
//! | 409 `version_conflict_engine_exception` | accepted: it is there already, under its id |
//! | 401, 403, 404, 408, 429; 400 of a type in [`OF_THE_PLACE`] | sent again: the place is at fault, not the record |
//! | 503 | sent again: nothing was written |
//! | any other from 500 on | sent again, and in doubt |
//! | any other | rejected, in the server's words |
//!
//! A response of another shape, or for another number of records, leaves all of them in doubt; an item of another shape
//! its record.

use metricast_sdk::{PublishError, shortened};
use serde::Deserialize;
use serde_json::Value;

use crate::cause::Cause;
use crate::tally::Tally;

/// Types of errors that have the status of a bad record and speak of the index or the cluster: it is closed, or has
/// as many shards as it may have.
const OF_THE_PLACE: [&str; 2] = ["index_closed_exception", "validation_exception"];

#[derive(Deserialize)]
struct Bulk {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    create: Answer,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    /// Only where it was asked for.
    #[serde(rename = "_index", default)]
    index: Option<String>,
    #[serde(default)]
    error: Option<Cause>,
}

/// An item as it is where nothing is wrong with it, and where the index was not asked for.
const TAKEN: &[u8] = br#"{"create":{"status":201}}"#;

/// Adds what a 2xx response says of the records `rows` to the tally.
///
/// # Errors
/// Why the response says nothing: the outcome of all records is in doubt.
pub(crate) fn classify(body: &[u8], rows: &[u32], tally: &mut Tally) -> Result<(), String> {
    if all_taken(body) == Some(rows.len()) {
        tally.records.taken(rows.len());
        return Ok(());
    }
    let items = match serde_json::from_slice::<Bulk>(body) {
        Ok(bulk) => bulk.items.into_iter().map(|item| fate(item.create)).collect(),
        Err(error) => one_by_one(body, &error)?,
    };
    if items.len() != rows.len() {
        return Err(format!("the answer to _bulk is for {} records, not {}", items.len(), rows.len()));
    }
    for (&row, (fate, index)) in rows.iter().zip(items) {
        tally.add(row, fate);
        if let Some(index) = index.filter(|index| !index.starts_with(BACKING)) {
            tally.went_to_plain_index(index);
        }
    }
    Ok(())
}

/// What the names of the indices behind data streams begin with.
const BACKING: &str = ".ds-";

/// For how many records a response is that says of each only that it was taken.
fn all_taken(body: &[u8]) -> Option<usize> {
    let mut rest = body.strip_prefix(br#"{"items":["#)?;
    let mut count = 0;
    loop {
        rest = rest.strip_prefix(TAKEN)?;
        count += 1;
        match rest.split_first()? {
            (b',', more) => rest = more,
            (b']', b"}") => return Some(count),
            _ => return None,
        }
    }
}

/// Where one item has another form than it should, the others say what they say all the same.
fn one_by_one(body: &[u8], error: &serde_json::Error) -> Result<Vec<(Fate, Option<String>)>, String> {
    #[derive(Deserialize)]
    struct Items {
        items: Vec<Value>,
    }
    let Ok(Items { items }) = serde_json::from_slice(body) else {
        if serde_json::from_slice::<Value>(body).is_ok() {
            return Err(format!("the answer to _bulk cannot be read: {error}"));
        }
        let told = shortened(String::from_utf8_lossy(body).trim().to_owned());
        return Err(format!("the answer to _bulk is none of Elasticsearch or OpenSearch: {told:?}"));
    };
    let one = |item: Value| {
        if let Ok(item) = Item::deserialize(&item) {
            return fate(item.create);
        }
        let told = format!("an item of the answer to _bulk cannot be read: {}", shortened(item.to_string()));
        (Fate::InDoubt(PublishError::unavailable(told)), None)
    };
    Ok(items.into_iter().map(one).collect())
}

/// What becomes of a record.
#[derive(Debug)]
pub(crate) enum Fate {
    Accepted,
    Rejected(String),
    /// Nothing was written.
    Again(PublishError),
    InDoubt(PublishError),
    /// The index or stream is not there any more.
    Homeless(PublishError),
}

/// What becomes of it, and where it went.
fn fate(Answer { status, index, error }: Answer) -> (Fate, Option<String>) {
    match status {
        200 | 201 => (Fate::Accepted, index),
        _ => (not_taken(status, error), None),
    }
}

fn not_taken(status: u16, error: Option<Cause>) -> Fate {
    let cause = error.unwrap_or_default();
    let unavailable = || PublishError::unavailable(cause.told(status));
    match (status, cause.kind.as_str()) {
        (409, "version_conflict_engine_exception") => Fate::Accepted,
        (401, _) | (403, "security_exception") => Fate::Again(PublishError::Unauthorized(cause.told(status))),
        (404, _) => Fate::Homeless(unavailable()),
        (403 | 408 | 429 | 503, _) => Fate::Again(unavailable()),
        (500.., _) => Fate::InDoubt(unavailable()),
        (_, kind) if OF_THE_PLACE.contains(&kind) => Fate::Again(unavailable()),
        _ => Fate::Rejected(cause.told(status)),
    }
}

impl Tally {
    fn add(&mut self, row: u32, fate: Fate) {
        match fate {
            Fate::Accepted => self.records.taken(1),
            Fate::Rejected(reason) => self.records.rejected(row, reason),
            Fate::Again(why) => self.records.again([row], &why),
            Fate::InDoubt(why) => self.records.in_doubt([row], &why),
            Fate::Homeless(why) => {
                self.homeless = true;
                self.records.again([row], &why);
            }
        }
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
