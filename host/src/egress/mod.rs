//! The one way out: every HTTP request of a plugin passes here, and nothing else leaves.
//!
//! In this order: the method and the origin are held against the publisher's grants ([`allow`]); the request is put
//! into the host's own form, `Host` and `Content-Length` included; placeholders in header values become secrets
//! ([`secrets`]); names are resolved by the host and each address judged ([`resolve`]); the request goes out over the
//! publisher's pooled connections, bounded in time, and its response is bounded in size ([`client`]).
//!
//! Redirects are answers like any other: the plugin sees them, and following one is a request of its own.

mod allow;
mod body;
mod client;
mod failure;
mod resolve;
mod secrets;
mod trust;

use sha2::Sha256;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use http::header::{EXPECT, HeaderName, TE, TRAILER};
use http::{Request, Response};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, Result, WasiBody, WasiHttpHooks,
};

use crate::grants::{Grants, Reach};
use crate::identity::Identity;
use crate::limits::{Bucket, Limits};
use allow::Refusal;
use client::{Client, TimeLimits};

pub use secrets::{Secret, SecretError, SecretProblem, Secrets};
pub use trust::{ExtraRoots, RootsError};

/// Writes of a plugin that wait for the wire. With one, as is the default, plugin and wire take turns.
const BODY_CHUNKS: usize = 16;
/// Bytes of one such write.
const BODY_CHUNK: usize = 1 << 20;
/// Refused requests that are told at once, and then one so often.
const TOLD_AT_ONCE: u32 = 5;
const TOLD_PER_SECOND: f64 = 0.1;

/// What one publisher's instances share to reach out: its grants, its secrets, its connections. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Egress(Arc<Shared>);

struct Shared {
    grants: Grants,
    secrets: Secrets,
    response_limit: u64,
    longest: Duration,
    trust: ExtraRoots,
    /// For origins that the user wrote.
    client: OnceLock<Client>,
    /// For those that lead to public addresses only.
    public_client: OnceLock<Client>,
    told: Mutex<Bucket>,
}

impl Egress {
    pub(crate) fn new(grants: Grants, secrets: Secrets, limits: &Limits) -> Self {
        Self::trusting(grants, secrets, limits, ExtraRoots::default())
    }

    pub(crate) fn trusting(grants: Grants, secrets: Secrets, limits: &Limits, trust: ExtraRoots) -> Self {
        Self::telling(grants, secrets, limits, trust, Bucket::new(TOLD_AT_ONCE, TOLD_PER_SECOND))
    }

    fn telling(grants: Grants, secrets: Secrets, limits: &Limits, trust: ExtraRoots, told: Bucket) -> Self {
        Self(Arc::new(Shared {
            grants,
            secrets,
            response_limit: limits.response,
            longest: limits.call_time,
            trust,
            client: OnceLock::new(),
            public_client: OnceLock::new(),
            told: Mutex::new(told),
        }))
    }

    /// No way out at all, and no word of what was refused: nobody expects it to be granted.
    pub(crate) fn silent(limits: &Limits) -> Self {
        Self::telling(Grants::default(), Secrets::default(), limits, ExtraRoots::default(), Bucket::new(0, 0.0))
    }

    /// No way out at all.
    pub(crate) fn closed() -> Self {
        Self::new(Grants::default(), Secrets::default(), &Limits::default())
    }

    /// Adds what it trusts and the values of its secrets to a digest, by which a changed one is found out.
    pub(crate) fn feed(&self, digest: &mut Sha256) {
        self.0.trust.feed(digest);
        self.0.secrets.feed(digest);
    }

    /// The way out of one instance.
    pub(crate) fn hooks(&self, identity: Identity) -> Hooks {
        Hooks { egress: self.clone(), identity }
    }

    async fn send(
        &self,
        identity: &Identity,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>> {
        let origin = allow::origin(&request).and_then(|origin| allow::granted(&self.0.grants, origin));
        let (origin, reach) = origin.map_err(|refusal| {
            self.tell(identity, &refusal);
            refusal.answer()
        })?;
        let mut request = allow::normal_form(request, &origin)?;
        self.0.secrets.put_in(request.headers_mut());
        let limits = TimeLimits::new(options, self.0.longest);
        let answer = self.client(reach).send(request, limits, self.0.response_limit).await;
        answer.map_err(|failure| {
            tracing::debug!(publisher = %identity.publisher, plugin = %identity.plugin, %origin, "{failure}");
            if let Some(prohibited) = failure.prohibited() {
                self.tell(identity, &Refusal::Address { origin, prohibited });
            }
            failure.into_answer()
        })
    }

    fn client(&self, reach: Reach) -> &Client {
        let client = match reach {
            Reach::Any => &self.0.client,
            Reach::Public => &self.0.public_client,
        };
        client.get_or_init(|| Client::trusting(&self.0.trust, reach))
    }

    fn tell(&self, identity: &Identity, refusal: &Refusal) {
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if told {
            let Identity { publisher, plugin } = identity;
            tracing::warn!(target: "metricast::plugin", %publisher, %plugin, "a request was refused: {refusal}");
        }
    }
}

/// What wasi:http calls on behalf of one instance.
pub(crate) struct Hooks {
    egress: Egress,
    identity: Identity,
}

type Transmission = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(forbidden)
    }

    /// The client sets it from the address that was checked.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Transmission,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Transmission)>> + Send> {
        let (egress, identity) = (self.egress.clone(), self.identity.clone());
        Box::new(async move {
            let response = egress.send(&identity, request, options.unwrap_or_default()).await?;
            // The pool drives its connections; there is nothing left to wait for.
            let done: Transmission = Box::new(async { Ok(()) });
            Ok((response, done))
        })
    }

    fn p2_outgoing_body_buffer_chunks(&mut self) -> usize {
        BODY_CHUNKS
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }
}

/// Headers of the connection, which is the host's. (`Content-Length` may be set: it is checked against the body.)
fn forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name) || [TE, TRAILER, EXPECT].contains(name)
}

#[cfg(test)]
mod tests;
