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
//! A response of another shape, or for another number of records, leaves all of them in doubt.

use metricast_sdk::{PublishError, Rejection};
use serde::Deserialize;

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
    #[serde(default)]
    error: Option<Cause>,
}

/// Adds what a 2xx response says of the records `rows` to the tally.
///
/// # Errors
/// Why the response says nothing: the outcome of all records is in doubt.
pub(crate) fn classify(body: &[u8], rows: &[u32], tally: &mut Tally) -> Result<(), String> {
    let bulk: Bulk =
        serde_json::from_slice(body).map_err(|error| format!("the answer to _bulk cannot be read: {error}"))?;
    if bulk.items.len() != rows.len() {
        return Err(format!("the answer to _bulk is for {} records, not {}", bulk.items.len(), rows.len()));
    }
    for (&row, Item { create }) in rows.iter().zip(bulk.items) {
        tally.add(row, fate(create));
    }
    Ok(())
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

fn fate(Answer { status, error }: Answer) -> Fate {
    if matches!(status, 200 | 201) {
        return Fate::Accepted;
    }
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
            Fate::Accepted => self.receipt.accepted += 1,
            Fate::Rejected(reason) => self.receipt.rejected.push(Rejection { index: row, reason }),
            Fate::Again(why) => self.again(&[row], why),
            Fate::InDoubt(why) => self.in_doubt(&[row], why),
            Fate::Homeless(why) => {
                self.homeless = true;
                self.again(&[row], why);
            }
        }
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
