//! What must stand before the first document: the template, and with data streams the streams.
//!
//! A write to a name without a template makes a plain index with guessed mappings, for good. So the template is put,
//! each stream is made where the server has a way to ask for that, and then the server itself must say that the name
//! is a data stream and that the template in force is ours.

use metricast_sdk::PublishError;
use metricast_sdk::http::Response;
use serde::Deserialize;

use crate::cause::{Cause, refusal};
use crate::client::{Ask, Client, Deadline};
use crate::engine::Engine;
use crate::layout::Layout;
use crate::template;

/// Puts the template and makes the streams, and says what server this is.
pub(crate) fn prepare(client: &mut Client, layout: &Layout, deadline: Deadline) -> Result<Engine, PublishError> {
    let engine = Engine::detect(client, deadline)?;
    put_template(client, layout, engine, deadline)?;
    for stream in layout.streams() {
        let made = make_stream(client, stream, deadline)?;
        check_kind(client, layout, stream, made, deadline)?;
        check_template(client, layout, stream, deadline)?;
    }
    Ok(engine)
}

fn put_template(client: &mut Client, layout: &Layout, engine: Engine, deadline: Deadline) -> Result<(), PublishError> {
    let path = format!("/_index_template/{}", layout.template());
    let body = template::body(layout, engine).to_string();
    let response = client.send(&Ask::put(&path, body.as_bytes()), deadline)?;
    match response.status {
        200..300 => Ok(()),
        400 | 404 | 405 => Err(template_refused(&response, layout)),
        _ => Err(refusal(&format!("PUT {path}"), &response)),
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

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resolved {
    indices: Vec<serde::de::IgnoredAny>,
    aliases: Vec<serde::de::IgnoredAny>,
    data_streams: Vec<serde::de::IgnoredAny>,
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
    let found: Resolved = match response.status {
        200..300 => serde_json::from_slice(&response.body).unwrap_or_default(),
        404 => Resolved::default(),
        _ => return Err(refusal(&format!("GET {path}"), &response)),
    };
    let no_stream = |is: &str| {
        let what = format_args!(
            "{stream} is {is} and must be a data stream: choose another name, or move what is there out of the way"
        );
        Err(PublishError::misconfigured(layout.key(), what))
    };
    match (found, made) {
        (Resolved { data_streams, .. }, _) if !data_streams.is_empty() => Ok(()),
        (Resolved { aliases, .. }, _) if !aliases.is_empty() => no_stream("an alias"),
        (Resolved { indices, .. }, _) if !indices.is_empty() => no_stream("a plain index"),
        (_, Made::ByItself) => Ok(()),
        (_, Made::No(PublishError::Misconfigured(why))) => Err(PublishError::misconfigured(
            layout.key(),
            format_args!("the data stream {stream} cannot be made: {why}"),
        )),
        (_, Made::No(error)) => Err(error),
        (_, Made::Yes) => Err(PublishError::unavailable(format!("the data stream {stream} was made and is not there"))),
    }
}

/// A template of a higher priority that takes the same names would shape the streams in our stead.
fn check_template(client: &mut Client, layout: &Layout, stream: &str, deadline: Deadline) -> Result<(), PublishError> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Streams {
        data_streams: Vec<Stream>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Stream {
        template: String,
    }
    let response = client.send(&Ask::get(&format!("/_data_stream/{stream}")), deadline)?;
    if !response.is_success() {
        // Not every server or role lets streams be looked at.
        return Ok(());
    }
    let Streams { data_streams } = serde_json::from_slice(&response.body).unwrap_or_default();
    match data_streams.first() {
        Some(Stream { template }) if !template.is_empty() && *template != layout.template() => {
            let what = format_args!(
                "the index template {template:?} takes {stream} before ours, {:?}: lower its priority or narrow its patterns",
                layout.template()
            );
            Err(PublishError::misconfigured(layout.key(), what))
        }
        _ => Ok(()),
    }
}
