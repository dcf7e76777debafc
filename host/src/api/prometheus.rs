//! Metrics that Prometheus scrapes.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use metricast_records::{EventMetrics, MetricsRef, NetworkMetrics};
use serde_json::Value;

use super::composite::Members;
use super::exposition::{ExpositionFormat, exposition_of};
use super::front::Front;
use super::options::{delegate, delivery_options, service_options};
use super::publisher::{MetricsPublisher, PublishError};
use super::recorder::Recorder;
use super::settings::{Settings, Source};
use super::start::StartError;
use super::undelivered::Undelivered;
use crate::config::Batching;
use crate::engine::CompileCache;
use crate::pipeline::{ExpositionError, Report};

/// Counts records into metrics and answers scrapes with them, on the loopback address while it lives.
///
/// The options are those of the plugin `prometheus`; what has no method is set by [`option`](Self::option).
///
/// ```
/// use std::time::Duration;
///
/// use metricast::{ExpositionFormat, MetricsPublisher, NetworkMetrics, PrometheusPublisher};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = PrometheusPublisher::new(0); // any free port
/// publisher.start().await?;
/// let address = publisher.address().expect("it is served");
/// println!("metrics at http://{address}/metrics");
///
/// let get = NetworkMetrics {
///     operation: "http_get".into(),
///     host: "example.com".into(),
///     port: 443,
///     start_time: 1_795_368_571.25,
///     end_time: Some(1_795_368_571.5),
///     bytes_received: 595_952,
///     ..NetworkMetrics::default()
/// };
/// publisher.publish_network_metrics(&get).await?;
/// let page = publisher.exposition(ExpositionFormat::Text).await?;
/// assert!(page.contains(r#"network_bytes_total{operation="http_get",direction="received"} 595952"#), "{page}");
/// publisher.close(Duration::from_secs(10)).await?;
/// # Ok(())
/// # }
/// ```
pub struct PrometheusPublisher {
    front: Front,
}

/// Which buckets a scrape in protobuf gets.
///
/// ```
/// use metricast::{Histograms, PrometheusPublisher};
///
/// let publisher = PrometheusPublisher::new(9464).histograms(Histograms::Both);
/// # let _ = publisher;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Histograms {
    /// Buckets with bounds.
    #[default]
    Classic,
    /// Buckets that grow by 9 % each.
    Native,
    /// Either, as the scraper likes.
    Both,
}

impl PrometheusPublisher {
    /// Answers scrapes at `http://127.0.0.1:PORT/metrics` from the start on; port 0 is any that is free.
    ///
    /// ```
    /// use metricast::PrometheusPublisher;
    ///
    /// let publisher = PrometheusPublisher::new(9464);
    /// # let _ = publisher;
    /// ```
    pub fn new(port: u16) -> Self {
        let mut settings = Settings::new("prometheus", Source::Bundled("prometheus"));
        settings.listen = Some((Ipv4Addr::LOCALHOST, port).into());
        Self { front: Front::of(settings) }
    }

    /// Answers scrapes at another address than loopback, such as `0.0.0.0:9464` for everybody.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// let publisher = PrometheusPublisher::new(9464).listen(([0, 0, 0, 0], 9464));
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.front.settings_mut().listen = Some(address.into());
        self
    }

    /// Answers no scrapes: the program shows [`exposition`](Self::exposition) itself.
    ///
    /// ```
    /// # use metricast::{ExpositionFormat, MetricsPublisher, PrometheusPublisher};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let publisher = PrometheusPublisher::new(0).without_server();
    /// publisher.start().await?;
    /// assert_eq!(publisher.address(), None);
    /// assert!(publisher.exposition(ExpositionFormat::OpenMetrics).await?.ends_with("# EOF\n"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn without_server(mut self) -> Self {
        self.front.settings_mut().listen = None;
        self
    }

    /// Classic ones by default.
    ///
    /// ```
    /// # use metricast::{Histograms, PrometheusPublisher};
    /// let publisher = PrometheusPublisher::new(9464).histograms(Histograms::Native);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn histograms(self, histograms: Histograms) -> Self {
        self.option(
            "histograms",
            match histograms {
                Histograms::Classic => "classic",
                Histograms::Native => "native",
                Histograms::Both => "both",
            },
        )
    }

    /// The upper bounds of the buckets of `event_duration_seconds`, in seconds, ascending.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// let publisher = PrometheusPublisher::new(9464).event_buckets([0.1, 1.0, 10.0]);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn event_buckets(mut self, bounds: impl IntoIterator<Item = f64>) -> Self {
        let bounds: Vec<f64> = bounds.into_iter().collect();
        self.front.settings_mut().set_in("buckets", "events", bounds.into());
        self
    }

    /// The same of `network_latency_seconds`.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// let publisher = PrometheusPublisher::new(9464).network_buckets([0.01, 0.1, 1.0]);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn network_buckets(mut self, bounds: impl IntoIterator<Item = f64>) -> Self {
        let bounds: Vec<f64> = bounds.into_iter().collect();
        self.front.settings_mut().set_in("buckets", "network", bounds.into());
        self
    }

    /// How many series one metric may have: 10,000 by default.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// let publisher = PrometheusPublisher::new(9464).series_limit(500);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn series_limit(self, series: u64) -> Self {
        self.option("series_limit", series)
    }

    /// Whether the metrics beyond the four of the API are kept, as they are by default.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// let publisher = PrometheusPublisher::new(9464).extra_metrics(false);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn extra_metrics(self, keep: bool) -> Self {
        self.option("extra_metrics", keep)
    }

    /// Whether counters and buckets name a trace, as they do by default.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// let publisher = PrometheusPublisher::new(9464).exemplars(false);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn exemplars(self, keep: bool) -> Self {
        self.option("exemplars", keep)
    }

    /// How long a new counter or histogram is shown as 0, so that scrapers see what came with the first records. Off by
    /// default; at most an hour.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// # use std::time::Duration;
    /// let publisher = PrometheusPublisher::new(9464).hold_new_series(Duration::from_secs(60));
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn hold_new_series(self, time: Duration) -> Self {
        self.option("hold_new_series", time.as_secs_f64())
    }

    /// How long a series may be without a record; for ever by default, at least an hour.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// # use std::time::Duration;
    /// let publisher = PrometheusPublisher::new(9464).expire_after(Duration::from_secs(86_400));
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn expire_after(self, time: Duration) -> Self {
        self.option("expire_after", time.as_secs_f64())
    }

    /// How old a record may be when it comes, to be counted; any age by default.
    ///
    /// ```
    /// # use metricast::PrometheusPublisher;
    /// # use std::time::Duration;
    /// let publisher = PrometheusPublisher::new(9464).max_age(Duration::from_secs(3_600));
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn max_age(self, age: Duration) -> Self {
        self.option("max_age", age.as_secs_f64())
    }

    /// Where scrapes are answered; none before it has started, after it was closed, and without a server.
    ///
    /// ```
    /// # use metricast::{MetricsPublisher, PrometheusPublisher};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let publisher = PrometheusPublisher::new(0);
    /// publisher.start().await?;
    /// assert_ne!(publisher.address().unwrap().port(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn address(&self) -> Option<SocketAddr> {
        self.front.started()?.legs().first()?.listening()
    }

    /// What a scraper would get, with every record that was taken before this call.
    ///
    /// ```
    /// # use metricast::{ExpositionFormat, MetricsPublisher, PrometheusPublisher};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let publisher = PrometheusPublisher::new(0);
    /// # publisher.start().await?;
    /// let page = publisher.exposition(ExpositionFormat::Text).await?;
    /// assert!(page.contains("# TYPE metricast_unobserved_total counter"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where it is not started, or closed.
    pub async fn exposition(&self, format: ExpositionFormat) -> Result<String, ExpositionError> {
        exposition_of(&self.front, None, format).await
    }
}

delegate!(PrometheusPublisher);
delivery_options!(PrometheusPublisher, "PrometheusPublisher::new(9464)");
service_options!(PrometheusPublisher, "PrometheusPublisher::new(9464)");
