//! Metrics and logs in Grafana Cloud.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use metricast_records::{EventMetrics, MetricsRef, NetworkMetrics};
use serde_json::Value;

use super::composite::Members;
use super::front::Front;
use super::options::{delegate, delivery_options, service_options};
use super::publisher::{MetricsPublisher, PublishError};
use super::recorder::Recorder;
use super::settings::{Settings, Source};
use super::start::StartError;
use super::undelivered::Undelivered;
use crate::config::Batching;
use crate::engine::CompileCache;
use crate::pipeline::Report;

/// Pushes metrics, and by option a log line for each record, to a stack of Grafana Cloud.
///
/// The addresses of the stack are found by the API key; the options are those of the plugin `grafana-cloud`, and what
/// has no method is set by [`option`](Self::option).
///
/// ```no_run
/// use std::time::Duration;
///
/// use metricast::{EventMetrics, GrafanaCloudPublisher, MetricsPublisher, Signal};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let api_key = std::env::var("GRAFANA_CLOUD_API_KEY")?;
/// let publisher = GrafanaCloudPublisher::new(api_key, "acme", "prod-eu-west-2")
///     .stack_slug("acmeshop")
///     .signals([Signal::Metrics, Signal::Logs])
///     .service("shop");
/// publisher.start().await?;
/// publisher
///     .publish_event_metrics(&EventMetrics {
///         event_name: "Pay".into(),
///         start_time: metricast::clock::now(),
///         status: "running".into(),
///         ..EventMetrics::default()
///     })
///     .await?;
/// publisher.close(Duration::from_secs(30)).await?;
/// # Ok(())
/// # }
/// ```
pub struct GrafanaCloudPublisher {
    front: Front,
}

/// How metrics are pushed.
///
/// ```
/// use metricast::{GrafanaCloudPublisher, PushProtocol};
///
/// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").protocol(PushProtocol::Otlp);
/// # let _ = publisher;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PushProtocol {
    /// Prometheus' remote write: 2.0, and 1.0 where the server knows no other.
    #[default]
    RemoteWrite,
    /// OTLP over HTTP, in protobuf.
    Otlp,
}

/// What is sent.
///
/// ```
/// use metricast::{GrafanaCloudPublisher, Signal};
///
/// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").signals([Signal::Logs]);
/// # let _ = publisher;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// What the records count as, to Mimir.
    Metrics,
    /// A line for each record, to Loki.
    Logs,
}

impl GrafanaCloudPublisher {
    /// An access policy's token, the organisation and the region. The plugin does not see the token: the host puts it
    /// into requests to Grafana Cloud, and to nobody else.
    ///
    /// ```
    /// use metricast::GrafanaCloudPublisher;
    ///
    /// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "prod-eu-west-2");
    /// assert!(!format!("{publisher:?}").contains("glc_"));
    /// ```
    pub fn new(api_key: impl Into<String>, org_slug: impl Into<String>, region: impl Into<String>) -> Self {
        let mut settings = Settings::new("grafana-cloud", Source::Bundled("grafana-cloud"));
        settings.set_secret("api_key", api_key.into());
        settings.set("org_slug", org_slug.into());
        settings.set("region", region.into());
        Self { front: Front::of(settings) }
    }

    /// Which stack of the organisation, where it has several.
    ///
    /// ```
    /// # use metricast::GrafanaCloudPublisher;
    /// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").stack_slug("acmeshop");
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn stack_slug(self, slug: impl Into<String>) -> Self {
        self.option("stack_slug", slug.into())
    }

    /// An address to push to by hand, in place of the one that Grafana Cloud names.
    ///
    /// ```
    /// # use metricast::GrafanaCloudPublisher;
    /// let mimir = "https://mimir.example.com/api/prom/push";
    /// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").endpoint(mimir).instance_id("123456");
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        self.option("endpoint", url.into())
    }

    /// The user of the address that was set by hand.
    ///
    /// ```
    /// # use metricast::GrafanaCloudPublisher;
    /// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").instance_id("123456");
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn instance_id(self, id: impl Into<String>) -> Self {
        self.option("instance_id", id.into())
    }

    /// Remote write by default.
    ///
    /// ```
    /// # use metricast::{GrafanaCloudPublisher, PushProtocol};
    /// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").protocol(PushProtocol::Otlp);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn protocol(self, protocol: PushProtocol) -> Self {
        self.option(
            "protocol",
            match protocol {
                PushProtocol::RemoteWrite => "remote-write",
                PushProtocol::Otlp => "otlp",
            },
        )
    }

    /// How often metrics are pushed: every 60 s by default; from 1 s to 4 min.
    ///
    /// ```
    /// # use metricast::GrafanaCloudPublisher;
    /// # use std::time::Duration;
    /// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").push_interval(Duration::from_secs(30));
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn push_interval(self, interval: Duration) -> Self {
        self.option("push_interval", interval.as_secs_f64())
    }

    /// What is sent: metrics by default. Each is a leg of its own.
    ///
    /// ```
    /// # use metricast::{GrafanaCloudPublisher, Signal};
    /// let both = [Signal::Metrics, Signal::Logs];
    /// let publisher = GrafanaCloudPublisher::new("glc_...", "acme", "eu").signals(both);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn signals(self, signals: impl IntoIterator<Item = Signal>) -> Self {
        let names = signals.into_iter().map(|signal| match signal {
            Signal::Metrics => "metrics",
            Signal::Logs => "logs",
        });
        self.option("signals", names.collect::<Vec<_>>())
    }
}

delegate!(GrafanaCloudPublisher);
delivery_options!(GrafanaCloudPublisher, "GrafanaCloudPublisher::new(\"glc_...\", \"acme\", \"eu\")");
service_options!(GrafanaCloudPublisher, "GrafanaCloudPublisher::new(\"glc_...\", \"acme\", \"eu\")");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn options_are_the_keys_of_a_config() {
        let publisher = GrafanaCloudPublisher::new("glc_secret", "acme", "eu")
            .stack_slug("acmeshop")
            .endpoint("https://mimir.example.com")
            .instance_id("1")
            .protocol(PushProtocol::Otlp)
            .push_interval(Duration::from_secs(30))
            .signals([Signal::Metrics, Signal::Logs])
            .instance("web-1");
        let settings = publisher.front.settings().unwrap();
        let wanted = json!({
            "api_key": { "secret": "given:api_key" }, "org_slug": "acme", "region": "eu", "stack_slug": "acmeshop",
            "endpoint": "https://mimir.example.com", "instance_id": "1", "protocol": "otlp", "push_interval": 30.0,
            "signals": ["metrics", "logs"], "instance": "web-1",
        });
        assert_eq!(Value::Object(settings.config.clone()), wanted);
        assert!(!format!("{settings:?}").contains("glc_secret"));
    }
}
