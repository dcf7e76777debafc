//! Why a publisher cannot be started.

use std::sync::Arc;

use crate::pipeline::{StartProblem, WorkshopError};

/// A publisher can never work as it is set up. What may pass (a backend that is away, credentials that it refuses)
/// is no such error: it is tried again.
///
/// ```
/// use metricast::{ElasticsearchPublisher, MetricsPublisher};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let without_a_scheme = ElasticsearchPublisher::new(["localhost:9200"], "shop");
/// let error = without_a_scheme.start().await.unwrap_err();
/// assert!(error.to_string().starts_with("elasticsearch: hosts[0]: "), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its plugin or its settings; where one key is at fault the problem begins with its path.
    #[error("{publisher}: {problem}")]
    Publisher {
        /// Its name.
        publisher: String,
        /// What is wrong.
        problem: Arc<StartProblem>,
    },
    /// A setting that no plugin sees.
    #[error("{publisher}: {key}: {problem}")]
    Setting {
        /// The publisher's name.
        publisher: String,
        /// The setting.
        key: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// This machine does not run plugins.
    #[error(transparent)]
    Machine(Arc<WorkshopError>),
    /// A publisher of your own, in its words.
    #[error("{0}")]
    Other(String),
    /// It was closed before.
    #[error("the publisher is closed")]
    Closed,
}

impl From<WorkshopError> for StartError {
    fn from(error: WorkshopError) -> Self {
        Self::Machine(Arc::new(error))
    }
}
