//! The Elasticsearch plugin's code in this process, in the place of its component: an instance is a thread of its own,
//! since what it does natively waits for its sockets.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use metricast::config::Publisher;
use metricast::delivery::{Opener, Sandbox};
use metricast::plugin::{self, CallError, Exposition, Fault, Flushed, Profile, Saved};
use metricast_elasticsearch::ElasticsearchPublisher;
use metricast_records::Batch;
use metricast_sdk::{self as sdk, Publisher as _, config};
use tokio::sync::oneshot;

/// Opens instances that are threads.
pub(crate) struct NativeOpener {
    config: String,
}

impl NativeOpener {
    pub(crate) fn new(publisher: &Publisher) -> Self {
        Self { config: publisher.config.to_string() }
    }
}

type Reply<T> = oneshot::Sender<Result<T, sdk::PublishError>>;
type Call = (Arc<Batch>, Reply<sdk::Receipt>);

/// A thread with an open publisher.
#[derive(Clone)]
pub(crate) struct NativeInstance {
    calls: SyncSender<Call>,
    profile: Profile,
}

impl Opener for NativeOpener {
    type Sandbox = NativeInstance;

    fn plugin(&self) -> String {
        "bench".to_owned()
    }

    async fn open(&self, _state: Option<Saved>) -> Result<NativeInstance, CallError> {
        let (calls, waiting) = mpsc::sync_channel(8);
        let (opened, answer) = oneshot::channel();
        let config = self.config.clone();
        thread::spawn(move || serve(&config, opened, &waiting));
        let profile = answered(answer).await?;
        let max_instances = NonZeroU32::new(profile.max_instances).unwrap_or(NonZeroU32::MIN);
        let profile =
            Profile { stateful: profile.stateful, max_instances, flush_interval: None, scrapes: profile.scrapes };
        Ok(NativeInstance { calls, profile })
    }
}

fn serve(config: &str, opened: Reply<sdk::Profile>, waiting: &Receiver<Call>) {
    let publisher =
        config::parse::<ElasticsearchPublisher>(config).and_then(|config| ElasticsearchPublisher::open(config, None));
    match publisher {
        Ok(mut publisher) => {
            let _ = opened.send(Ok(publisher.profile()));
            while let Ok((batch, reply)) = waiting.recv() {
                let _ = reply.send(publisher.publish(&batch));
            }
        }
        Err(error) => {
            let _ = opened.send(Err(error));
        }
    }
}

async fn answered<T>(answer: oneshot::Receiver<Result<T, sdk::PublishError>>) -> Result<T, CallError> {
    let answer = answer.await.map_err(|_| Fault::Gone)?;
    answer.map_err(|error| plugin::PublishError::Internal(error.to_string()).into())
}

impl Sandbox for NativeInstance {
    fn profile(&self) -> Profile {
        self.profile
    }

    async fn publish(&self, batch: Arc<Batch>) -> Result<plugin::Receipt, CallError> {
        let (reply, answer) = oneshot::channel();
        self.calls.send((batch, reply)).map_err(|_| Fault::Gone)?;
        let receipt = answered(answer).await?;
        let rejected = receipt.rejected.into_iter();
        Ok(plugin::Receipt {
            accepted: receipt.accepted,
            rejected: rejected.map(|it| plugin::Rejection { index: it.index, reason: it.reason }).collect(),
            retryable: receipt.retryable,
            in_doubt: receipt.in_doubt,
            retry_after: None,
        })
    }

    async fn flush(&self) -> Result<Flushed, CallError> {
        Ok(Flushed::default())
    }

    async fn close(&self) -> Result<Flushed, CallError> {
        Ok(Flushed::default())
    }

    async fn snapshot(&self) -> Result<Option<Saved>, CallError> {
        Ok(None)
    }

    async fn scrape(&self, _accept: &str) -> Result<Option<Exposition>, CallError> {
        Ok(None)
    }
}
