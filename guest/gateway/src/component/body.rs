//! Bodies in and out, in pieces as the host has them or takes them.

use std::time::{Duration, Instant};

use metricast_records::problem::Problem;

use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::http::types::{IncomingBody, IncomingRequest, OutgoingBody};
use crate::bindings::wasi::io::poll::poll;
use crate::bindings::wasi::io::streams::{InputStream, StreamError};
use crate::intake::Intake;

const READ_AT_ONCE: u64 = 64 << 10;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);

pub(super) fn read(request: &IncomingRequest, intake: Intake) -> Result<Vec<u8>, Problem> {
    let gone = || Problem::Unreadable("the host has let it go".to_owned());
    let body = request.consume().map_err(|()| gone())?;
    let stream = body.stream().map_err(|()| gone())?;
    let read = read_stream(&stream, intake);
    drop(stream);
    drop(IncomingBody::finish(body));
    read
}

fn read_stream(stream: &InputStream, mut intake: Intake) -> Result<Vec<u8>, Problem> {
    let (started, timer) = (Instant::now(), monotonic_clock::subscribe_duration(BODY_TIME.as_nanos() as u64));
    let arrives = stream.subscribe();
    loop {
        match stream.read(READ_AT_ONCE) {
            Ok(some) if some.is_empty() => {
                poll(&[&arrives, &timer]);
            }
            Ok(some) => intake.push(&some)?,
            Err(StreamError::Closed) => return intake.finish(),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(Problem::Unreadable(error.to_debug_string()));
            }
        }
        if started.elapsed() >= BODY_TIME {
            return Err(Problem::Slow { seconds: BODY_TIME.as_secs() });
        }
    }
}

/// A receiver that goes away has its answer no longer: nothing is left to do.
pub(super) fn write(body: OutgoingBody, mut rest: &[u8]) {
    let stream = body.write().expect("the stream of a new body is there");
    while !rest.is_empty() {
        match stream.check_write() {
            Ok(0) => stream.subscribe().block(),
            Ok(room) => {
                let (now, later) = rest.split_at(rest.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
                if stream.write(now).is_err() {
                    return;
                }
                rest = later;
            }
            Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => return,
        }
    }
    if stream.flush().is_ok() {
        stream.subscribe().block();
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}
