//! A web application that greets, and publishes an event for each request: by whichever plugin `spin.toml` links to its
//! import `metricast:publisher/publisher`.
//!
//! A publisher is opened for each request, since a host may use an instance once only. A plugin that keeps state needs
//! a host that keeps the instance.
#![cfg(target_arch = "wasm32")]

use std::time::{SystemTime, UNIX_EPOCH};

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::metricast::publisher::publisher::{EventMetrics, PublishError, Publisher};
use bindings::wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

#[expect(clippy::pedantic, clippy::undocumented_unsafe_blocks, reason = "generated code")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package example:app;
            world app {
                import metricast:publisher/publisher@0.1.0;
                export wasi:http/incoming-handler@0.2.0;
            }
        ",
        world: "example:app/app",
        generate_all,
    });
}

/// Where `spin.toml` has the plugin's config, as JSON.
const CONFIG: &str = "METRICAST_CONFIG";
/// The most bytes of one `blocking-write-and-flush`; more of them end the component.
const AT_ONCE: usize = 4096;

struct App;

bindings::export!(App with_types_in bindings);

impl Guest for App {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let start_time = now();
        let path = request.path_with_query().unwrap_or_default();
        let greeting = format!("Hello from {path}\n");
        if let Err(error) = publish(request_event(start_time)) {
            // The visitor is greeted all the same; the host's log has this line.
            eprintln!("the request is not published: {error:?}");
        }
        respond(&greeting, out);
    }
}

fn request_event(start_time: f64) -> EventMetrics {
    EventMetrics {
        event_name: "Greet".to_owned(),
        task_id: String::new(),
        start_time,
        end_time: Some(now()),
        status: "completed".to_owned(),
        error: None,
        retry_count: 0,
        process_id: None,
        attributes: Vec::new(),
    }
}

fn publish(event: EventMetrics) -> Result<(), PublishError> {
    let config = std::env::var(CONFIG).unwrap_or_else(|_| "{}".to_owned());
    let publisher = Publisher::open(&config, None)?;
    let receipt = publisher.publish_event_metrics(&event)?;
    match receipt.rejected.first() {
        Some(rejection) => Err(PublishError::Rejected(rejection.reason.clone())),
        None if receipt.accepted == 1 => match publisher.close()? {
            left if left.pending == 0 && left.rejected.is_empty() => Ok(()),
            left => Err(PublishError::Rejected(format!("{} pending, given up: {:?}", left.pending, left.rejected))),
        },
        None => Err(PublishError::Internal("the backend is busy".to_owned())),
    }
}

/// Seconds since the Unix epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

fn respond(text: &str, out: ResponseOutparam) {
    let headers = Fields::new();
    // A host that keeps a header to itself sends the answer without it.
    let _ = headers.append(&"content-type".to_owned(), &b"text/plain; charset=utf-8".to_vec());
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("the body of a new response is there");
    ResponseOutparam::set(out, Ok(response));
    if let Ok(stream) = body.write() {
        for piece in text.as_bytes().chunks(AT_ONCE) {
            if stream.blocking_write_and_flush(piece).is_err() {
                // The visitor went away.
                break;
            }
        }
    }
    let _ = OutgoingBody::finish(body, None);
}
