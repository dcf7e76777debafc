//! What the publishers of this crate have in common, written once: macros that give each type its methods, so that they
//! stand in the type's own documentation.

/// The trait by way of the type's `front`.
macro_rules! delegate {
    ($type:ident) => {
        #[async_trait]
        impl MetricsPublisher for $type {
            async fn publish_event_metrics(&self, metrics: &EventMetrics) -> Result<(), PublishError> {
                self.front.publish(MetricsRef::Event(metrics.as_ref())).await
            }

            async fn publish_network_metrics(&self, metrics: &NetworkMetrics) -> Result<(), PublishError> {
                self.front.publish(MetricsRef::Network(metrics.as_ref())).await
            }

            fn name(&self) -> &str {
                self.front.name()
            }

            async fn start(&self) -> Result<(), StartError> {
                self.front.start().await
            }

            async fn flush(&self, within: Duration) -> Result<(), Undelivered> {
                self.front.flush(within).await
            }

            async fn close(&self, within: Duration) -> Result<(), Undelivered> {
                self.front.close(within).await
            }

            fn members(&self) -> Option<Members> {
                self.front.members().map(Members)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($type)).field("publishers", &self.front.names()).finish_non_exhaustive()
            }
        }
    };
}

/// What a publisher of a plugin can be set besides the plugin's own settings; `$new` makes one in the examples.
macro_rules! delivery_options {
    ($type:ident, $new:literal) => {
        /// How it is delivered, whatever the backend.
        impl $type {
            /// What logs and reports call it, 1 to 64 bytes; the plugin's name by default.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".named(\"search\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.front.settings_mut().name = name.into();
                self
            }

            /// Bytes of packed records that may wait for the backend; then calls wait. 64 MiB by default, at least 1 KiB;
            /// some 1,000 records wait in front of it.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".queue_size(8 << 20);\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn queue_size(mut self, bytes: usize) -> Self {
                self.front.settings_mut().queue_size = bytes;
                self
            }

            /// When a batch is handed over: at so many records (1,000), bytes (4 MiB), or so long after its first record
            /// (1 s). Plugins that are scraped get records at once.
            ///
            #[doc = concat!("```\nuse std::time::Duration;\n\nuse metricast::config::Batching;\nuse metricast::", stringify!($type), ";\n\nlet at_once = Batching { max_age: Duration::ZERO, ..Batching::default() };\nlet publisher = ", $new, ".batching(at_once);\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn batching(mut self, batching: Batching) -> Self {
                self.front.settings_mut().batch = batching;
                self
            }

            /// The pauses between tries: from the first (200 ms), doubling to the longest (30 s), each by chance between
            /// nothing and that.
            ///
            #[doc = concat!("```\nuse std::time::Duration;\n\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".retry(Duration::from_millis(50), Duration::from_secs(5));\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn retry(mut self, first: Duration, longest: Duration) -> Self {
                let retry = &mut self.front.settings_mut().retry;
                (retry.initial, retry.max) = (first, longest);
                self
            }

            /// How old a record may become before it is given up, and reported so by the next flush or close. Never by
            /// default.
            ///
            #[doc = concat!("```\nuse std::time::Duration;\n\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".give_up_after(Duration::from_secs(3600));\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn give_up_after(mut self, age: Duration) -> Self {
                self.front.settings_mut().retry.give_up_after = Some(age);
                self
            }

            /// Bytes of memory that one instance of the plugin may use: 256 MiB by default, at least 1 MiB.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".max_memory(64 << 20);\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn max_memory(mut self, bytes: usize) -> Self {
                self.front.settings_mut().max_memory = Some(bytes);
                self
            }

            /// How long one call of the plugin may take, the HTTP that it waits for included: 30 s by default, at least
            /// 10 ms.
            ///
            #[doc = concat!("```\nuse std::time::Duration;\n\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".call_timeout(Duration::from_secs(10));\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn call_timeout(mut self, time: Duration) -> Self {
                self.front.settings_mut().call_timeout = Some(time);
                self
            }

            /// One more origin that the plugin may reach, as `https://metrics.example.com`; those that its settings name
            /// are allowed by that.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".allow(\"https://metrics.example.com\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn allow(mut self, origin: impl Into<String>) -> Self {
                self.front.settings_mut().allow.push(origin.into());
                self
            }

            /// A PEM file of certificate authorities that are trusted beside those of this system. It is read at the
            /// start.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".tls_ca(\"certificates/ca.pem\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn tls_ca(mut self, path: impl Into<PathBuf>) -> Self {
                self.front.settings_mut().ca = Some(path.into());
                self
            }

            /// Where compiled plugins are kept from run to run: the user's cache folder by default. Publishers that share
            /// one share the machine that runs plugins, too. In a composite, the composite's decides.
            ///
            #[doc = concat!("```\nuse metricast::engine::CompileCache;\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".compile_cache(CompileCache::Off);\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn compile_cache(mut self, cache: CompileCache) -> Self {
                self.front.plan_mut().cache = cache;
                self
            }

            /// Any of the plugin's own settings, by its key in a config file: for what has no method here. A later call
            /// for the same key counts. A credential is `{"secret": "env:NAME"}` or `{"secret": "file:PATH"}`.
            ///
            #[doc = concat!("```\nuse serde_json::json;\n\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".option(\"labels\", json!({\"team\": \"checkout\"}));\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn option(mut self, key: &str, value: impl Into<Value>) -> Self {
                self.front.settings_mut().set(key, value);
                self
            }

            /// The end for code that must not wait.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet recorder = ", $new, ".recorder();\n# let _ = recorder;\n```")]
            pub fn recorder(&self) -> Recorder {
                self.front.recorder()
            }

            /// How it stands; empty before it has started and after it was closed.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\n# #[tokio::main]\n# async fn main() {\nassert!(", $new, ".reports().is_empty());\n# }\n```")]
            pub fn reports(&self) -> Vec<Report> {
                self.front.reports()
            }
        }
    };
}

/// Whose records they are: settings that the bundled plugins share.
macro_rules! service_options {
    ($type:ident, $new:literal) => {
        /// Whose records these are.
        impl $type {
            /// The service, as `shop`. None by default.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".service(\"shop\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn service(self, name: impl Into<String>) -> Self {
                self.option("service", name.into())
            }

            /// What the service is a part of, as `sales`. None by default.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".namespace(\"sales\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn namespace(self, name: impl Into<String>) -> Self {
                self.option("namespace", name.into())
            }

            /// As `production`. None by default.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".environment(\"production\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn environment(self, name: impl Into<String>) -> Self {
                self.option("environment", name.into())
            }

            /// Tells this process from others of the service. By default the machine's name and eight digits of the
            /// program's path: two processes of one program on one machine need names of their own.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".instance(\"web-1\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn instance(self, name: impl Into<String>) -> Self {
                self.option("instance", name.into())
            }

            /// The machine, as `web-1.example.com`. What the system calls itself by default.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".host(\"web-1.example.com\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn host(self, name: impl Into<String>) -> Self {
                self.option("host", name.into())
            }

            /// A label of every record: a field of documents, a label of series.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".label(\"region\", \"eu\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
                self.front.settings_mut().set_in("labels", name, value.into().into());
                self
            }

            /// A label whose value is an attribute of each record.
            ///
            #[doc = concat!("```\nuse metricast::", stringify!($type), ";\n\nlet publisher = ", $new, ".label_from(\"tenant\", \"tenant.id\");\n# let _ = publisher;\n```")]
            #[must_use]
            pub fn label_from(mut self, name: impl Into<String>, attribute: impl Into<String>) -> Self {
                let attribute = serde_json::json!({ "attribute": attribute.into() });
                self.front.settings_mut().set_in("labels", name, attribute);
                self
            }
        }
    };
}

pub(super) use {delegate, delivery_options, service_options};
