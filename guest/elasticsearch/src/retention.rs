//! How long documents are kept: by a data stream's own lifecycle on Elasticsearch, by index state management on
//! OpenSearch.
//!
//! The template gives new streams their lifecycle; streams that are there get it here. OpenSearch deletes whole indices:
//! the policy rolls a stream over once a day and deletes an index so long after that.

use metricast_sdk::http::Response;
use metricast_sdk::{Deadline, PublishError, log};
use serde_json::{Value, json};

use crate::cause::{Cause, refusal};
use crate::client::{Ask, Client};
use crate::engine::Engine;
use crate::options::Options;
use crate::units::Span;

/// Whether the server has a way to keep documents only so long.
pub(crate) fn check(options: &Options, engine: Engine) -> Result<(), PublishError> {
    if options.retention.is_none() || matches!(engine, Engine::OpenSearch | Engine::Unknown) {
        return Ok(());
    }
    if !engine.has_lifecycle() {
        let what = format_args!(
            "not available on {engine}: data streams have a lifecycle from Elasticsearch 8.11 on. Leave the key out, and \
             delete old indices by a policy of your own"
        );
        return Err(PublishError::misconfigured("retention", what));
    }
    if options.layout.daily {
        let what = "not available for daily indices on Elasticsearch: leave the key out, and delete old indices by a \
                    policy of your own, or write indices = \"data_streams\"";
        return Err(PublishError::misconfigured("retention", what));
    }
    Ok(())
}

/// Whether the server has what [`keep`] would use; changes nothing.
pub(crate) fn find(
    client: &mut Client,
    options: &Options,
    engine: Engine,
    deadline: Deadline,
) -> Result<(), PublishError> {
    let Some(retention) = options.retention.as_ref().filter(|_| !engine.has_lifecycle()) else { return Ok(()) };
    Policy::new(options, retention).there(client, deadline).map(drop)
}

/// Lets the server delete what is older.
pub(crate) fn keep(
    client: &mut Client,
    options: &Options,
    engine: Engine,
    deadline: Deadline,
) -> Result<(), PublishError> {
    let Some(retention) = &options.retention else { return Ok(()) };
    if engine.has_lifecycle() {
        let mut streams = options.layout.streams().into_iter();
        streams.try_for_each(|stream| lifecycle(client, stream, retention, deadline))
    } else {
        Policy::new(options, retention).put(client, deadline)
    }
}

/// Gives a stream that is there its lifecycle, where it has another.
fn lifecycle(client: &mut Client, stream: &str, retention: &Span, deadline: Deadline) -> Result<(), PublishError> {
    let path = format!("/_data_stream/{stream}/_lifecycle");
    let response = client.send(&Ask::get(&path), deadline)?;
    let there: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let kept = there.pointer("/data_streams/0/lifecycle/data_retention").and_then(Value::as_str);
    if kept == Some(retention.as_str()) {
        return Ok(());
    }
    let body = json!({ "data_retention": retention.as_str() }).to_string();
    let response = client.send(&Ask::put(&path, body.as_bytes()), deadline)?;
    match response.status {
        200..300 => Ok(()),
        400 | 404 | 405 => {
            // The stream does not exist before its first document, and gets it from the template then.
            log::debug(format_args!(
                "{stream} is given no retention now: {}",
                refusal(&format!("PUT {path}"), &response)
            ));
            Ok(())
        }
        _ => Err(refusal(&format!("PUT {path}"), &response)),
    }
}

/// A policy of index state management.
#[derive(Debug)]
struct Policy {
    name: String,
    body: Value,
    /// What it takes, as a path names it.
    targets: String,
}

impl Policy {
    fn new(options: &Options, retention: &Span) -> Self {
        let layout = &options.layout;
        let patterns = layout.patterns();
        let (actions, condition) = if layout.daily {
            (json!([]), "min_index_age")
        } else {
            (json!([{ "rollover": { "min_index_age": "1d" } }]), "min_rollover_age")
        };
        let delete_after = json!([{ "state_name": "delete", "conditions": { condition: retention.as_str() } }]);
        let body = json!({ "policy": {
            "description": format!("metricast: documents are kept for {}", retention.as_str()),
            "default_state": "keep",
            "states": [
                { "name": "keep", "actions": actions, "transitions": delete_after },
                { "name": "delete", "actions": [{ "delete": {} }], "transitions": [] },
            ],
            "ism_template": [{ "index_patterns": patterns, "priority": 501 }],
        } });
        Self { name: layout.template(), body, targets: patterns.join(",") }
    }

    /// Puts it where there is none or one that says otherwise, and gives it to what is there already.
    fn put(&self, client: &mut Client, deadline: Deadline) -> Result<(), PublishError> {
        let path = self.path();
        let Some(there) = self.there(client, deadline)? else {
            ask_for(client, &Ask::put(&path, self.body.to_string().as_bytes()), deadline)?;
            return self.give("add", client, deadline);
        };
        if there.pointer("/policy/description") == self.body.pointer("/policy/description") {
            return Ok(());
        }
        let place = format!("{path}?if_seq_no={}&if_primary_term={}", there["_seq_no"], there["_primary_term"]);
        ask_for(client, &Ask::put(&place, self.body.to_string().as_bytes()), deadline)?;
        self.give("change_policy", client, deadline)
    }

    fn path(&self) -> String {
        format!("/_plugins/_ism/policies/{}", self.name)
    }

    /// The policy of that name, as the server has it.
    fn there(&self, client: &mut Client, deadline: Deadline) -> Result<Option<Value>, PublishError> {
        let path = self.path();
        let response = client.send(&Ask::get(&path), deadline)?;
        match response.status {
            200..300 => Ok(Some(serde_json::from_slice(&response.body).unwrap_or_default())),
            404 if !is_unknown(&response) => Ok(None),
            400 | 404 | 405 => Err(not_available()),
            _ => Err(refusal(&format!("GET {path}"), &response)),
        }
    }

    /// A template of the policy takes new indices only.
    fn give(&self, how: &str, client: &mut Client, deadline: Deadline) -> Result<(), PublishError> {
        let path = format!("/_plugins/_ism/{how}/{}", self.targets);
        let body = json!({ "policy_id": self.name }).to_string();
        ask_for(client, &Ask::post(&path, body.as_bytes()), deadline)
    }
}

fn ask_for(client: &mut Client, ask: &Ask<'_>, deadline: Deadline) -> Result<(), PublishError> {
    let response = client.send(ask, deadline)?;
    let what = format!("{} {}", ask.method.as_str(), ask.path);
    match response.status {
        // 409: another instance was quicker.
        200..300 | 409 => Ok(()),
        // No index is there yet.
        404 => {
            log::debug(format_args!("{}", refusal(&what, &response)));
            Ok(())
        }
        400 => {
            let told = Cause::of(&response).told(400);
            Err(PublishError::misconfigured("retention", format_args!("{what}: {told}")))
        }
        _ => Err(refusal(&what, &response)),
    }
}

fn is_unknown(response: &Response) -> bool {
    Cause::of(response).told(response.status).contains("no handler found")
}

fn not_available() -> PublishError {
    let what = "not available here: OpenSearch deletes old documents by its index state management, and this server has \
                no such plugin. Leave the key out, or install opensearch-index-management";
    PublishError::misconfigured("retention", what)
}
