//! Bodies on their way: requests with their length, responses within their bounds.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::failure;

/// A request's body, of the length that its plugin said. [`sent`](Self::sent) tells its end.
pub(super) struct RequestBody {
    body: WasiBody,
    length: Option<u64>,
    /// Goes with the body, which the client drops as soon as it has all of it.
    end: Option<oneshot::Sender<()>>,
}

impl RequestBody {
    pub(super) fn new(body: WasiBody, length: Option<u64>) -> Self {
        Self { body, length, end: None }
    }

    /// Ends when the body has been sent.
    pub(super) fn sent(&mut self) -> impl Future<Output = ()> + use<> {
        let (end, ended) = oneshot::channel();
        self.end = Some(end);
        async {
            let _ = ended.await;
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(|| self.body.size_hint(), SizeHint::with_exact)
    }
}

/// A response's body, bounded in size and in the time between two of its pieces. The time counts while somebody waits
/// for a piece, not while nobody reads.
pub(super) struct ResponseBody {
    body: Incoming,
    limit: u64,
    left: u64,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    /// Refuses at once a body that says itself that it is too large.
    pub(super) fn new(body: Incoming, limit: u64, pause: Duration) -> Result<Self, Error> {
        if body.size_hint().lower() > limit {
            return Err(Error::HttpResponseBodySize(Some(body.size_hint().lower())));
        }
        Ok(Self { body, limit, left: limit, pause, waiting: None })
    }

    fn take(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Error> {
        let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => return Err(Error::HttpResponseBodySize(Some(self.limit))),
        }
        Ok(frame)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.waiting = None;
            let frame = frame.map(|frame| frame.map_err(|error| failure::of_body(&error)));
            return Poll::Ready(frame.map(|frame| frame.and_then(|frame| self.take(frame))));
        }
        let pause = self.pause;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(pause)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
