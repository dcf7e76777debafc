//! A plugin of any kind, by the file of its component.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use metricast_records::{EventMetrics, MetricsRef, NetworkMetrics};
use serde_json::Value;

use super::composite::Members;
use super::front::Front;
use super::options::{delegate, delivery_options};
use super::publisher::{MetricsPublisher, PublishError};
use super::recorder::Recorder;
use super::settings::{Settings, Source};
use super::start::StartError;
use super::undelivered::Undelivered;
use crate::config::Batching;
use crate::engine::CompileCache;
use crate::pipeline::Report;

/// Publishes through any plugin: a WebAssembly component that exports `metricast:publisher`.
///
/// Its settings are those of its own schema, which `metricast inspect FILE` lists; they are set by
/// [`option`](Self::option) and [`secret`](Self::secret).
///
/// ```
/// use metricast::{ComponentPublisher, MetricsPublisher};
///
/// # #[tokio::main]
/// # async fn main() {
/// let publisher = ComponentPublisher::from_file("plugins/hook.wasm").option("url", "http://127.0.0.1:8080/in");
/// let error = publisher.start().await.unwrap_err();
/// assert!(error.to_string().starts_with("hook: plugin plugins/hook.wasm: cannot read it"), "{error}");
/// # }
/// ```
pub struct ComponentPublisher {
    front: Front,
}

impl ComponentPublisher {
    /// The plugin of a component's file, which is read at the start. It is called as the file is, without `.wasm`.
    ///
    /// ```
    /// use metricast::{ComponentPublisher, MetricsPublisher};
    ///
    /// assert_eq!(ComponentPublisher::from_file("plugins/hook.wasm").name(), "hook");
    /// ```
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Self { front: Front::of(Settings::new(name, Source::File(path))) }
    }

    /// A credential among its settings: the plugin gets a placeholder, and the host puts the value into the headers of
    /// requests to the origins that it was granted.
    ///
    /// ```
    /// # use metricast::ComponentPublisher;
    /// let publisher = ComponentPublisher::from_file("plugins/hook.wasm").secret("token", "hunter2");
    /// assert!(!format!("{publisher:?}").contains("hunter2"));
    /// ```
    #[must_use]
    pub fn secret(mut self, key: &str, value: impl Into<String>) -> Self {
        self.front.settings_mut().set_secret(key, value.into());
        self
    }

    /// Answers scrapes there; for a plugin that has something to scrape.
    ///
    /// ```
    /// # use metricast::ComponentPublisher;
    /// let publisher = ComponentPublisher::from_file("plugins/mine.wasm").listen(([127, 0, 0, 1], 9465));
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.front.settings_mut().listen = Some(address.into());
        self
    }

    /// Where it answers scrapes, if it does.
    ///
    /// ```
    /// # use metricast::ComponentPublisher;
    /// # #[tokio::main]
    /// # async fn main() {
    /// assert_eq!(ComponentPublisher::from_file("plugins/mine.wasm").address(), None);
    /// # }
    /// ```
    pub fn address(&self) -> Option<SocketAddr> {
        self.front.started()?.legs().first()?.listening()
    }
}

delegate!(ComponentPublisher);
delivery_options!(ComponentPublisher, "ComponentPublisher::from_file(\"plugins/hook.wasm\")");
