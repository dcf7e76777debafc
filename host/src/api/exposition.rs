//! What a publisher shows to scrapers, for a program that shows it itself.

use std::sync::Arc;
use std::time::Duration;

use super::front::Front;
use super::running::deadline;
use crate::pipeline::ExpositionError;

/// How long the records that were taken before may take to be counted.
const PATIENCE: Duration = Duration::from_secs(10);

/// The text formats of Prometheus.
///
/// ```
/// use metricast::{ExpositionFormat, MetricsPublisher, PrometheusPublisher};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = PrometheusPublisher::new(0);
/// publisher.start().await?;
/// assert!(publisher.exposition(ExpositionFormat::OpenMetrics).await?.ends_with("# EOF\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpositionFormat {
    /// `text/plain; version=0.0.4`.
    #[default]
    Text,
    /// `application/openmetrics-text; version=1.0.0`, with exemplars.
    OpenMetrics,
}

impl ExpositionFormat {
    fn accept(self) -> &'static str {
        match self {
            Self::Text => "text/plain;version=0.0.4",
            Self::OpenMetrics => "application/openmetrics-text;version=1.0.0",
        }
    }
}

/// Of the publisher of this name, or of the only one.
pub(super) async fn exposition_of(
    front: &Front,
    publisher: Option<&str>,
    format: ExpositionFormat,
) -> Result<String, ExpositionError> {
    let publisher = publisher.map(str::to_owned);
    let asked = front.on_house(move |running| async move {
        let index = match &publisher {
            Some(name) => running.legs().iter().position(|leg| leg.name() == name).ok_or(ExpositionError::Unknown)?,
            None => 0,
        };
        running.carry_all(deadline(PATIENCE)).await;
        let running = Arc::clone(&running);
        running.legs()[index].exposition(format.accept(), PATIENCE).await
    });
    let page = asked.await.ok_or(ExpositionError::NotOpen)??;
    Ok(String::from_utf8_lossy(&page.body).into_owned())
}
