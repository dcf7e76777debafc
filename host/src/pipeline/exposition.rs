//! What a publisher would show to a scraper, for a process that ends before one comes.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{LOOK, Pipeline};
use crate::delivery::Status;
use crate::plugin::{CallError, Exposition};
use crate::queue::Queue;

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum ExpositionError {
    /// No publisher has this name.
    #[error("it is not there")]
    Unknown,
    /// It could not be opened so far.
    #[error("it is not open")]
    NotOpen,
    /// Its profile says that it has something to show, and it has nothing.
    #[error("it shows nothing")]
    Nothing,
    /// It failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Pipeline {
    /// The publishers that have something to scrape, of those that are open.
    pub fn scraped(&self) -> Vec<String> {
        self.members.iter().filter(|member| member.is_scraped).map(|member| member.name().to_owned()).collect()
    }

    /// What a publisher shows when it has answered for every record in the queue, or when nothing has moved for
    /// `patience`. Call it before [`drain`](Self::drain), when no more records come.
    ///
    /// # Errors
    /// Where it cannot be asked.
    pub fn exposition(
        &self,
        publisher: &str,
        accept: &str,
        patience: Duration,
    ) -> impl Future<Output = Result<Exposition, ExpositionError>> + Send + use<> {
        let delivery = self.deliveries().find(|delivery| delivery.status().name() == publisher);
        let asked = delivery.map(|delivery| {
            let (status, began_at) = (Arc::clone(delivery.status()), delivery.began_at());
            (status, began_at, delivery.over(), delivery.current())
        });
        let (queue, accept) = (self.queue.clone(), accept.to_owned());
        async move {
            let (status, began_at, over, current) = asked.ok_or(ExpositionError::Unknown)?;
            settled(&queue, began_at, &status, &over, patience).await;
            let instance = current.borrow().clone().ok_or(ExpositionError::NotOpen)?;
            instance.scrape(&accept).await?.ok_or(ExpositionError::Nothing)
        }
    }
}

async fn settled(queue: &Queue, began_at: u64, status: &Status, over: &watch::Receiver<bool>, patience: Duration) {
    let (mut moved, mut before) = (Instant::now(), 0);
    // A task that was ended from outside has let go of its end.
    while !*over.borrow() && over.has_changed().is_ok() {
        let answered = status.counts().answered();
        if answered >= queue.appended() - began_at || moved.elapsed() >= patience {
            return;
        }
        if answered != before {
            (moved, before) = (Instant::now(), answered);
        }
        sleep(LOOK).await;
    }
}
