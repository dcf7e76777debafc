//! What of a running pipeline can be looked at from outside while it runs and while it is drained.

use std::sync::Arc;

use tokio::sync::watch;

use super::Pipeline;
use crate::delivery::Status;
use crate::queue::Queue;
use crate::queue::store::Store;

/// A pipeline's parts that tell how it stands. They outlive it.
#[derive(Clone, Debug)]
pub struct Look {
    /// Its queue.
    pub queue: Queue,
    /// What keeps the queue, where that is a folder.
    pub store: Option<Store>,
    /// Its publishers, in the order of the config.
    pub publishers: Vec<LookAt>,
}

/// One publisher.
#[derive(Clone, Debug)]
pub struct LookAt {
    /// How it stands.
    pub status: Arc<Status>,
    /// The offset below which every record was answered for when it started.
    pub began_at: u64,
    /// Turns true when it has ended or halted.
    pub over: watch::Receiver<bool>,
}

impl Pipeline {
    /// What can be looked at of it.
    pub fn look(&self) -> Look {
        let publishers = self.deliveries().map(|delivery| LookAt {
            status: Arc::clone(delivery.status()),
            began_at: delivery.began_at(),
            over: delivery.over(),
        });
        Look { queue: self.queue.clone(), store: self.store.clone(), publishers: publishers.collect() }
    }
}
