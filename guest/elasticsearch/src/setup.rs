//! What must stand before the first document: the template, and with data streams the streams.
//!
//! A write to a name without a template makes a plain index with guessed mappings, for good. So the template is put,
//! the server must say that it is the one in force, each stream is made where the server has a way to ask for that, and
//! then the server itself must say that the name is a data stream.

use std::fmt;

use metricast_sdk::http::Response;
use metricast_sdk::{Deadline, PublishError, log};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::cause::{Cause, refusal};
use crate::client::{Ask, Client};
use crate::collision;
use crate::engine::Engine;
use crate::layout::Layout;
use crate::options::Options;
use crate::retention;
use crate::template::{Standing, Template};

/// Puts the template and makes the streams, and says what server this is.
pub(crate) fn prepare(client: &mut Client, options: &Options, deadline: Deadline) -> Result<Engine, PublishError> {
    let engine = Engine::detect(client, deadline)?;
    retention::check(options, engine)?;
    let layout = &options.layout;
    if options.manage_template {
        put_template(client, options, engine, deadline)?;
        collision::check(client, layout, deadline)?;
    } else {
        check_by_hand(client, layout, deadline)?;
    }
    for stream in layout.streams() {
        let made = make_stream(client, stream, deadline)?;
        check_kind(client, layout, stream, made, deadline)?;
    }
    if options.manage_template {
        retention::keep(client, options, engine, deadline)?;
    }
    Ok(engine)
}

/// The template of a name, as the server has it.
pub(crate) fn find_template(
    client: &mut Client,
    name: &str,
    deadline: Deadline,
) -> Result<Option<Value>, PublishError> {
    let path = format!("/_index_template/{name}");
    let response = client.send(&Ask::get(&path), deadline)?;
    match response.status {
        200..300 => {
            let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
            Ok(body.pointer("/index_templates/0/index_template").cloned())
        }
        400 | 404 | 405 => Ok(None),
        _ => Err(not_allowed(refusal(&format!("GET {path}"), &response))),
    }
}

/// Puts the template where there is none or an older one. One that a person has changed or made stays as it is.
fn put_template(
    client: &mut Client,
    options: &Options,
    engine: Engine,
    deadline: Deadline,
) -> Result<(), PublishError> {
    let ours = Template::new(options, engine);
    let name = &ours.name;
    let left = |what: &str| log::info(format_args!("the index template {name} {what}: it is left as it is"));
    match find_template(client, name, deadline)?.map(|there| ours.against(&there)) {
        None => {}
        Some(Standing::Outdated) => {
            log::info(format_args!(
                "the index template {name} is of an older metricast or another config, and is put anew; what is there \
                 keeps its mappings until it is rolled over"
            ));
        }
        Some(Standing::Same) => return Ok(()),
        Some(Standing::Edited(parts)) => {
            left(&format!("was changed by hand ({})", parts.join(", ")));
            return Ok(());
        }
        Some(Standing::Newer) => {
            left("is of a newer metricast");
            return Ok(());
        }
        Some(Standing::Foreign) => {
            left("is not of metricast's making");
            return Ok(());
        }
    }
    let path = format!("/_index_template/{name}");
    let response = client.send(&Ask::put(&path, ours.body.to_string().as_bytes()), deadline)?;
    match response.status {
        200..300 => Ok(()),
        400 | 404 | 405 => Err(template_refused(&response, &options.layout)),
        _ => Err(not_allowed(refusal(&format!("PUT {path}"), &response))),
    }
}

/// Whether a person has put the template. Who may not look is believed.
fn check_by_hand(client: &mut Client, layout: &Layout, deadline: Deadline) -> Result<(), PublishError> {
    let name = layout.template();
    match find_template(client, &name, deadline) {
        Ok(Some(_)) | Err(PublishError::Unauthorized(_)) => Ok(()),
        Ok(None) => {
            let what = format_args!(
                "the index template {name} is not there: put it (metricast check --print template, or \
                 template-opensearch), or write true"
            );
            Err(PublishError::misconfigured("manage_template", what))
        }
        Err(error) => Err(error),
    }
}

fn not_allowed(error: PublishError) -> PublishError {
    match error {
        PublishError::Unauthorized(told) => PublishError::Unauthorized(format!(
            "{told}: allow what metricast check --print role shows, or let a person put the template (metricast check \
             --print template) and write manage_template = false"
        )),
        other => other,
    }
}

fn template_refused(response: &Response, layout: &Layout) -> PublishError {
    let told = Cause::of(response).told(response.status);
    if told.contains("unknown field [data_stream]") {
        let what = "this server has no data streams: write indices = \"daily\" for plain indices";
        return PublishError::misconfigured("indices", what);
    }
    let what = format_args!("the server does not take the index template {}: {told}", layout.template());
    PublishError::misconfigured(layout.key(), what)
}

/// Whether there is a stream now, as far as the request that makes it can tell.
enum Made {
    Yes,
    /// The server has no such request; the first document makes the stream.
    ByItself,
    No(PublishError),
}

fn make_stream(client: &mut Client, stream: &str, deadline: Deadline) -> Result<Made, PublishError> {
    let path = format!("/_data_stream/{stream}");
    let response = client.send(&Ask::put(&path, b""), deadline)?;
    let cause = Cause::of(&response);
    match response.status {
        200..300 => Ok(Made::Yes),
        400 if cause.kind == "resource_already_exists_exception" => Ok(Made::Yes),
        404 | 405 => Ok(Made::ByItself),
        400 if cause.kind.is_empty() => Ok(Made::ByItself),
        400 => Ok(Made::No(PublishError::Misconfigured(cause.told(response.status)))),
        // Who may not make a stream may write into one that is there; and a name that is taken is told as a 500.
        _ => Ok(Made::No(refusal(&format!("PUT {path}"), &response))),
    }
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    DataStream,
    Alias,
    PlainIndex,
    Absent,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DataStream => "a data stream",
            Self::Alias => "an alias",
            Self::PlainIndex => "a plain index",
            Self::Absent => "not there",
        })
    }
}

impl Kind {
    /// What an answer to `GET /_resolve/index/NAME` says.
    pub(crate) fn of(response: &Response) -> Option<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Resolved {
            indices: Vec<IgnoredAny>,
            aliases: Vec<IgnoredAny>,
            data_streams: Vec<IgnoredAny>,
        }
        let found: Resolved = match response.status {
            200..300 => serde_json::from_slice(&response.body).ok()?,
            404 => return Some(Self::Absent),
            _ => return None,
        };
        Some(if !found.data_streams.is_empty() {
            Self::DataStream
        } else if !found.aliases.is_empty() {
            Self::Alias
        } else if !found.indices.is_empty() {
            Self::PlainIndex
        } else {
            Self::Absent
        })
    }
}

fn check_kind(
    client: &mut Client,
    layout: &Layout,
    stream: &str,
    made: Made,
    deadline: Deadline,
) -> Result<(), PublishError> {
    let path = format!("/_resolve/index/{stream}");
    let response = client.send(&Ask::get(&path), deadline)?;
    let Some(kind) = Kind::of(&response) else { return Err(refusal(&format!("GET {path}"), &response)) };
    let fault = |what: fmt::Arguments<'_>| Err(PublishError::misconfigured(layout.key(), what));
    match (kind, made) {
        (Kind::DataStream, _) | (Kind::Absent, Made::ByItself) => Ok(()),
        (Kind::Alias | Kind::PlainIndex, _) => fault(format_args!(
            "{stream} is {kind} and must be a data stream: choose another name, or move what is there out of the way"
        )),
        (Kind::Absent, Made::No(PublishError::Misconfigured(why))) => {
            fault(format_args!("the data stream {stream} cannot be made: {why}"))
        }
        (Kind::Absent, Made::No(error)) => Err(error),
        (Kind::Absent, Made::Yes) => {
            Err(PublishError::unavailable(format!("the data stream {stream} was made and is not there")))
        }
    }
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
