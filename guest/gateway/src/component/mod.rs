//! The component: `wasi:http/incoming-handler` in front of a [`Service`] that lives as long as its instance.

mod body;
mod plugin;

use std::cell::OnceCell;

use metricast_records::problem::Problem;

use self::plugin::Composed;
use crate::answer::Answer;
use crate::bindings::exports::wasi::http::incoming_handler::Guest;
use crate::bindings::wasi::http::types::{Fields, IncomingRequest, Method, OutgoingResponse, ResponseOutparam};
use crate::intake::Intake;
use crate::request::Head;
use crate::service::{Next, Service};

thread_local! {
    static SERVICE: OnceCell<Service<Composed>> = const { OnceCell::new() };
}

struct Gateway;

crate::bindings::export!(Gateway with_types_in crate::bindings);

impl Guest for Gateway {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        SERVICE.with(|service| {
            let service = service.get_or_init(|| Service::new(Composed::new()));
            let head = head(&request);
            let answer = answer(service, &head, &request);
            respond(&answer, head.method == "HEAD", out);
            // What was not read of a body is let go only now: its sender would miss the answer.
            drop(request);
        });
    }
}

fn head(request: &IncomingRequest) -> Head {
    let method = match request.method() {
        Method::Get => "GET".to_owned(),
        Method::Head => "HEAD".to_owned(),
        Method::Post => "POST".to_owned(),
        Method::Put => "PUT".to_owned(),
        Method::Delete => "DELETE".to_owned(),
        Method::Connect => "CONNECT".to_owned(),
        Method::Options => "OPTIONS".to_owned(),
        Method::Trace => "TRACE".to_owned(),
        Method::Patch => "PATCH".to_owned(),
        Method::Other(other) => other,
    };
    let path = request.path_with_query().unwrap_or_default();
    Head::new(&method, &path, &request.headers().entries())
}

fn answer(service: &Service<Composed>, head: &Head, request: &IncomingRequest) -> Answer {
    let read = |intake: Intake| {
        let bytes = body::read(request, intake)?;
        Ok::<_, Problem>(service.records(head, bytes))
    };
    match service.begin(head) {
        Next::Answer(answer) => answer,
        Next::Body(intake) => read(intake).unwrap_or_else(|problem| Answer::from(&problem)),
    }
}

fn respond(answer: &Answer, is_head: bool, out: ResponseOutparam) {
    let headers = Fields::new();
    let length = answer.body.len().to_string();
    let own = answer.headers.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in own.chain((!is_head).then_some(("content-length", length.as_str()))) {
        // A host that keeps a header to itself sends the answer without it.
        let _ = headers.append(&name.to_owned(), &value.as_bytes().to_vec());
    }
    let response = OutgoingResponse::new(headers);
    response.set_status_code(answer.status).expect("the status is one of HTTP");
    let body = response.body().expect("the body of a new response is there");
    ResponseOutparam::set(out, Ok(response));
    body::write(body, if is_head { &[] } else { &answer.body });
}
