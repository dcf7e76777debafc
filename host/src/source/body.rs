//! The body of a request, taken in with bounds: on its own size, on what all bodies under way hold, and on its window.
//!
//! Nothing is unpacked beyond the bound: a small body that would become a huge one costs no more than another.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, BodyDataStream};
use futures::{StreamExt as _, TryStreamExt as _};
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};
use http_body::Body as _;
use metricast_records::encoding::{Encoding, UnknownEncoding};
use metricast_records::problem::Problem;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::io::StreamReader;

/// All bodies under way together may hold so much, and always two of the largest.
const TOGETHER: usize = 64 << 20;
/// So much is read before it is counted.
const BLOCK: u64 = 64 << 10;
/// The largest window of a zstd body, 8 MiB (<https://www.rfc-editor.org/rfc/rfc9659#section-3>).
const ZSTD_WINDOW_LOG: u32 = 23;
/// The rest of a refused body is let in for so long and so many bytes, so that its sender comes to read the answer.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_BYTES: usize = 64 << 20;

/// What is unpacked.
const KNOWN: &[Encoding] = &[Encoding::Gzip, Encoding::Zstd, Encoding::Identity];

/// By the headers.
fn encoding_of(headers: &HeaderMap) -> Result<Encoding, UnknownEncoding> {
    Encoding::of(headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes), KNOWN)
}

/// Several packed parts after each other are one body, as `cat a.gz b.gz` makes it.
fn unpack<'a>(encoding: Encoding, raw: impl AsyncBufRead + Send + 'a) -> Pin<Box<dyn AsyncRead + Send + 'a>> {
    match encoding {
        Encoding::Identity => Box::pin(raw),
        Encoding::Gzip => {
            let mut decoder = GzipDecoder::new(raw);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        Encoding::Zstd => {
            let mut decoder = ZstdDecoder::with_params(raw, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
    }
}

fn failed(encoding: Encoding, error: &io::Error) -> Problem {
    if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<axum::Error>) {
        Problem::Unreadable(error.to_string())
    } else if error.kind() == io::ErrorKind::UnexpectedEof {
        Problem::CutOff(encoding.name())
    } else {
        Problem::NotUnpacked { encoding: encoding.name(), reason: error.to_string() }
    }
}

/// Takes bodies in.
#[derive(Clone, Debug)]
pub(super) struct Bodies {
    max: usize,
    room: Arc<Semaphore>,
    patience: Duration,
}

/// A body, and its share of the memory for bodies.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) bytes: Vec<u8>,
    pub(super) share: OwnedSemaphorePermit,
}

impl Bodies {
    /// Of at most `max` bytes each; `patience` is how long one waits for room before it is read.
    pub(super) fn new(max: usize, patience: Duration) -> Self {
        let room = max.saturating_mul(2).clamp(TOGETHER, u32::MAX as usize);
        Self { max, room: Arc::new(Semaphore::new(room)), patience }
    }

    /// What the head of a request already says against its body.
    ///
    /// # Errors
    /// [`Problem::TooLarge`], [`Problem::UnknownEncoding`]
    pub(super) fn expect(&self, headers: &HeaderMap, body: &Body) -> Result<Encoding, Problem> {
        let encoding = encoding_of(headers)?;
        if encoding == Encoding::Identity && body.size_hint().lower() > self.max as u64 {
            return Err(Problem::TooLarge { limit: self.max });
        }
        Ok(encoding)
    }

    /// # Errors
    /// [`Problem`]; what is left of the body is let in for a while and dropped.
    pub(super) async fn take(&self, encoding: Encoding, body: Body) -> Result<Taken, Problem> {
        let mut raw = body.into_data_stream();
        let taken = self.read(encoding, &mut raw).await;
        if taken.is_err() {
            linger(raw);
        }
        taken
    }

    async fn read(&self, encoding: Encoding, raw: &mut BodyDataStream) -> Result<Taken, Problem> {
        // Waits only while it holds nothing: bodies that grow never wait for each other.
        let announced = usize::try_from(raw.size_hint().lower()).unwrap_or(usize::MAX).min(self.max);
        let mut taken = Taken { bytes: Vec::new(), share: self.first_share(announced).await? };
        let mut reader = unpack(encoding, StreamReader::new(raw.map_err(io::Error::other)));
        loop {
            let read = (&mut reader).take(BLOCK).read_to_end(&mut taken.bytes).await;
            let count = read.map_err(|error| failed(encoding, &error))?;
            if taken.bytes.len() > self.max {
                return Err(Problem::TooLarge { limit: self.max });
            }
            let more = taken.bytes.len().saturating_sub(taken.share.num_permits());
            if more > 0 {
                let more = Arc::clone(&self.room).try_acquire_many_owned(permits(more));
                taken.share.merge(more.map_err(|_none| Problem::Crowded)?);
            }
            if (count as u64) < BLOCK {
                return Ok(taken);
            }
        }
    }

    async fn first_share(&self, count: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let room = Arc::clone(&self.room).acquire_many_owned(permits(count));
        tokio::time::timeout(self.patience, room).await.ok().and_then(Result::ok).ok_or(Problem::Crowded)
    }
}

/// A permit is a byte.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A connection that is closed with bytes unread is reset, and its sender may never see the answer.
pub(super) fn linger(mut raw: BodyDataStream) {
    tokio::spawn(tokio::time::timeout(LINGER, async move {
        let mut left = LINGER_BYTES;
        while let Some(Ok(chunk)) = raw.next().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    }));
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::ZstdEncoder;

    use super::*;

    fn bodies(max: usize) -> Bodies {
        Bodies::new(max, Duration::from_secs(10))
    }

    async fn zstd(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        ZstdEncoder::new(bytes).read_to_end(&mut packed).await.unwrap();
        packed
    }

    #[tokio::test]
    async fn frames_after_each_other_are_one_body() {
        let both = [zstd(b"one\n").await, zstd(b"two\n").await].concat();
        let taken = bodies(8).take(Encoding::Zstd, both.into()).await.unwrap();
        assert_eq!(taken.bytes, b"one\ntwo\n");
        let both = [zstd(b"one\n").await, zstd(b"two\n").await].concat();
        let error = bodies(7).take(Encoding::Zstd, both.into()).await.unwrap_err();
        assert!(matches!(error, Problem::TooLarge { limit: 7 }), "{error}");
    }

    #[tokio::test]
    async fn a_packed_body_that_breaks_off_or_is_none_is_told() {
        let text = "a body that is long enough".repeat(100);
        let whole = zstd(text.as_bytes()).await;
        let error = bodies(1 << 20).take(Encoding::Zstd, whole[..whole.len() - 3].to_vec().into()).await.unwrap_err();
        assert_eq!(error.to_string(), "the body breaks off before the end of its zstd");
        let error = bodies(1 << 20).take(Encoding::Gzip, text.into()).await.unwrap_err().to_string();
        assert!(
            error.starts_with("the body cannot be unpacked as gzip, which its content encoding names: "),
            "{error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_share_their_room() {
        let bodies = bodies(TOGETHER);
        let large = || Body::from(vec![b' '; TOGETHER]);
        let first = bodies.take(Encoding::Identity, large()).await.unwrap();
        let second = bodies.take(Encoding::Identity, large()).await.unwrap();
        let third = bodies.take(Encoding::Identity, Body::from("x")).await.unwrap_err();
        assert!(matches!(third, Problem::Crowded), "{third}");
        drop((first, second.bytes));
        bodies.take(Encoding::Identity, Body::from("x")).await.unwrap();
    }
}
