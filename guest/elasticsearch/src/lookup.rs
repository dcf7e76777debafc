//! Which records of a batch a data stream has already.
//!
//! An id is unique in one backing index only: once a stream is rolled over, `create` writes the same id again. So
//! before a batch goes out that may have been there before, the stream is asked for its ids: refreshed, so that what
//! was written can be found, and searched. Where that fails nothing is sent. A plain index of a record's day needs none
//! of this: there the id itself keeps the second document out.

use std::collections::HashSet;

use metricast_sdk::http::Response;
use metricast_sdk::{Batch, Deadline, PublishError};
use serde::Deserialize;
use serde_json::json;

use crate::bulk::Ids;
use crate::cause::{Cause, refusal};
use crate::client::{Ask, Client, Failure};
use crate::layout::Layout;

/// How many ids are asked for at a time: 1,000 take a real server 54 to 80 ms, and 65,536 are the most that it takes.
const PAGE: usize = 1000;

/// A partial answer would say of a record that it is not there.
const SEARCH: &str = "_search?allow_partial_search_results=false&filter_path=timed_out,_shards.failed,hits.hits._id";

/// Asks for the records of a batch.
pub(crate) struct Lookup<'a> {
    pub(crate) client: &'a mut Client,
    pub(crate) layout: &'a Layout,
    pub(crate) batch: &'a Batch,
    pub(crate) deadline: Deadline,
}

impl Lookup<'_> {
    /// The indexes of the records that are not there.
    pub(crate) fn missing(mut self) -> Result<Vec<u32>, PublishError> {
        let ids = Ids::new(self.batch.epoch())?;
        let (events, all) = (self.batch.event_columns().event_name.len() as u32, self.batch.len() as u32);
        let mut missing = Vec::new();
        for (stream, rows) in [(&self.layout.event, 0..events), (&self.layout.network, events..all)] {
            let rows: Vec<(u32, String)> = rows.map(|row| (row, ids.of(self.batch.offsets()[row as usize]))).collect();
            if rows.is_empty() {
                continue;
            }
            let is_there = self.refresh(stream)?;
            for page in rows.chunks(PAGE) {
                let found = if is_there { self.found(stream, page)? } else { HashSet::new() };
                missing.extend(page.iter().filter(|(_, id)| !found.contains(id)).map(|(row, _)| *row));
            }
        }
        Ok(missing)
    }

    /// Makes all that was written visible; whether there is such a stream.
    fn refresh(&mut self, stream: &str) -> Result<bool, PublishError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Refreshed {
            #[serde(rename = "_shards")]
            shards: Option<Shards>,
        }
        let path = format!("/{stream}/_refresh");
        let response = self.ask(&path, b"")?;
        if response.status == 404 && Cause::of(&response).kind == "index_not_found_exception" {
            return Ok(false);
        }
        let Refreshed { shards } = read(&path, &response)?;
        match shards {
            Some(Shards { failed: 0 }) => Ok(true),
            _ => Err(failed(&path, "not all shards were refreshed")),
        }
    }

    fn found(&mut self, stream: &str, page: &[(u32, String)]) -> Result<HashSet<String>, PublishError> {
        // An id may be there twice already.
        let size = page.len() * 2;
        let ids: Vec<&str> = page.iter().map(|(_, id)| id.as_str()).collect();
        let body = json!({
            "size": size, "track_total_hits": false, "_source": false, "query": { "ids": { "values": ids } },
        });
        let path = format!("/{stream}/{SEARCH}");
        let response = self.ask(&path, body.to_string().as_bytes())?;
        let Found { timed_out, shards, hits } = read(&path, &response)?;
        if timed_out || !matches!(shards, Some(Shards { failed: 0 })) {
            return Err(failed(&path, "not all shards answered"));
        }
        if hits.hits.len() == size && page.len() > 1 {
            let (first, second) = page.split_at(page.len() / 2);
            let mut found = self.found(stream, first)?;
            found.extend(self.found(stream, second)?);
            return Ok(found);
        }
        Ok(hits.hits.into_iter().map(|hit| hit.id).collect())
    }

    fn ask(&mut self, path: &str, body: &[u8]) -> Result<Response, PublishError> {
        self.client.send(&Ask::post(path, body), self.deadline).map_err(|failure| match failure {
            Failure::NotSent(error) => error,
            Failure::InDoubt(reason) => failed(path, &reason),
        })
    }
}

#[derive(Deserialize)]
struct Shards {
    failed: u32,
}

#[derive(Deserialize)]
struct Found {
    timed_out: bool,
    #[serde(rename = "_shards")]
    shards: Option<Shards>,
    /// Left out by the filter where there are none.
    #[serde(default)]
    hits: Hits,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Deserialize)]
struct Hit {
    #[serde(rename = "_id")]
    id: String,
}

/// The answer, where it is one.
fn read<T: for<'de> Deserialize<'de>>(path: &str, response: &Response) -> Result<T, PublishError> {
    let method = format!("POST {}", path.split('?').next().unwrap_or(path));
    match response.status {
        200..300 => serde_json::from_slice(&response.body).map_err(|error| failed(path, &error.to_string())),
        403 => match refusal(&method, response) {
            PublishError::Unauthorized(told) => Err(PublishError::Unauthorized(format!(
                "{told}: records whose outcome is in doubt are looked for before they are sent again, which needs the \
                 privileges read and maintenance (metricast check --print role)"
            ))),
            other => Err(other),
        },
        _ => match refusal(&method, response) {
            error @ (PublishError::Unauthorized(_) | PublishError::Unavailable { .. }) => Err(error),
            other => Err(failed(path, &other.to_string())),
        },
    }
}

fn failed(path: &str, why: &str) -> PublishError {
    let path = path.split('?').next().unwrap_or(path);
    PublishError::unavailable(format!("POST {path}: {why}; nothing is sent before it is known what is there already"))
}
