//! What a publisher would show to a scraper, for a process that ends before one comes.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{LOOK, Pipeline};
use crate::delivery::Delivery;
use crate::plugin::{CallError, Exposition, Instance};

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
    pub fn scraped(&self) -> &[String] {
        &self.scraped
    }

    /// What a publisher shows when it has answered for every record in the queue, or when nothing has moved for
    /// `patience`. Call it before [`drain`](Self::drain), when no more records come.
    ///
    /// # Errors
    /// Where it cannot be asked.
    pub async fn exposition(
        &self,
        publisher: &str,
        accept: &str,
        patience: Duration,
    ) -> Result<Exposition, ExpositionError> {
        let delivery = self.deliveries.iter().find(|delivery| delivery.status().name() == publisher);
        let delivery = delivery.ok_or(ExpositionError::Unknown)?;
        self.settled(delivery, patience).await;
        let instance = delivery.current().borrow().clone().ok_or(ExpositionError::NotOpen)?;
        instance.scrape(accept).await?.ok_or(ExpositionError::Nothing)
    }

    async fn settled(&self, delivery: &Delivery<Instance>, patience: Duration) {
        let (mut moved, mut before) = (Instant::now(), 0);
        while !delivery.has_ended() {
            let counts = delivery.status().counts();
            if counts.answered() >= self.queue.appended() || moved.elapsed() >= patience {
                return;
            }
            if counts.answered() != before {
                (moved, before) = (Instant::now(), counts.answered());
            }
            sleep(LOOK).await;
        }
    }
}
