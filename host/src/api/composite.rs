//! Several publishers as one.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use metricast_records::{EventMetrics, MetricsRef, NetworkMetrics};

use super::exposition::{ExpositionFormat, exposition_of};
use super::front::Front;
use super::publisher::{MetricsPublisher, PublishError};
use super::recorder::Recorder;
use super::settings::{MAX_NAME, Settings};
use super::start::StartError;
use super::undelivered::Undelivered;
use crate::engine::CompileCache;
use crate::pipeline::{ExpositionError, Report};

/// What runs behind one intake.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) members: Vec<Member>,
    pub(super) wait_for_all: bool,
    pub(super) cache: CompileCache,
}

/// One of those that records go to.
#[derive(Clone)]
pub(super) enum Member {
    Own(Box<Settings>),
    Foreign { name: String, publisher: Arc<dyn MetricsPublisher> },
}

/// What a composite takes over from a publisher of this crate.
#[doc(hidden)]
pub struct Members(pub(super) Vec<Member>);

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(Member::name)).finish()
    }
}

impl Plan {
    pub(super) fn of(members: Vec<Member>) -> Self {
        Self { members, wait_for_all: false, cache: CompileCache::User }
    }

    /// Its members, of which no two have one name: the second `search` is `search-2`.
    pub(super) fn into_named(self) -> Vec<Member> {
        let mut known = HashSet::new();
        let mut members = self.members;
        for member in &mut members {
            let name = member.name_mut();
            let first = name.clone();
            let mut count = 1;
            while !known.insert(name.clone()) {
                count += 1;
                *name = numbered(&first, count);
            }
        }
        members
    }
}

/// A name with a number behind it, cut where it would be longer than a name may be.
fn numbered(name: &str, count: usize) -> String {
    let number = format!("-{count}");
    // One that is too long itself is refused as it is.
    let room = MAX_NAME.max(name.len()).saturating_sub(number.len());
    format!("{}{number}", &name[..name.floor_char_boundary(room)])
}

impl Member {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Own(settings) => &settings.name,
            Self::Foreign { name, .. } => name,
        }
    }

    fn name_mut(&mut self) -> &mut String {
        match self {
            Self::Own(settings) => &mut settings.name,
            Self::Foreign { name, .. } => name,
        }
    }
}

/// Publishes each record to several publishers: of this crate, of your own, and composites of them.
///
/// Each has a queue of its own and goes on at its own pace, so one that fails stops none of the others. A call waits
/// while the queue of one is full that still gets on. One that is failing (its backend is away, or refuses) and whose
/// queue is full misses records while the others get them: they are counted, a warning is logged, and the next flush or
/// close reports them as [`missed`](crate::Shortfall::missed). With [`wait_for_all`](Self::wait_for_all) calls wait for
/// it too. Where all have no room, calls wait.
///
/// A publisher of your own is called on a thread of its own, so it may block, with one record at a time; what it calls
/// [`Unavailable`](PublishError::Unavailable) is tried again, what it calls anything else is rejected, and a panic of it
/// costs that record.
///
/// ```
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// use metricast::{
///     CompositePublisher, EventMetrics, ExpositionFormat, MetricsPublisher, NetworkMetrics, PrometheusPublisher,
///     PublishError, async_trait,
/// };
///
/// /// Prints what failed.
/// struct Alerts;
///
/// #[async_trait]
/// impl MetricsPublisher for Alerts {
///     async fn publish_event_metrics(&self, metrics: &EventMetrics) -> Result<(), PublishError> {
///         if metrics.status == "failed" {
///             println!("{} failed: {:?}", metrics.event_name, metrics.error);
///         }
///         Ok(())
///     }
///
///     async fn publish_network_metrics(&self, _metrics: &NetworkMetrics) -> Result<(), PublishError> {
///         Ok(())
///     }
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = CompositePublisher::new(vec![Box::new(PrometheusPublisher::new(0)), Box::new(Alerts)]);
/// publisher.start().await?;
/// let event = EventMetrics {
///     event_name: "Pay".into(),
///     start_time: 1_795_368_571.5,
///     end_time: Some(1_795_368_572.0),
///     status: "failed".into(),
///     error: Some("no money".into()),
///     ..EventMetrics::default()
/// };
/// publisher.publish_event_metrics(&event).await?;
/// publisher.flush(Duration::from_secs(10)).await?;
/// let page = publisher.exposition("prometheus", ExpositionFormat::Text).await?;
/// assert!(page.contains(r#"event_records_total{event_name="Pay",status="failed"} 1"#), "{page}");
/// publisher.close(Duration::from_secs(10)).await?;
/// # Ok(())
/// # }
/// ```
pub struct CompositePublisher {
    front: Front,
}

impl CompositePublisher {
    /// Publishes to all of these. Those of this crate become legs of the composite itself, unless they have started or
    /// gave out a [`Recorder`]: these are called like any other. The legs of a composite among them become this one's,
    /// and its own [`wait_for_all`](Self::wait_for_all) counts no longer: this one's does.
    ///
    /// ```
    /// use metricast::{CompositePublisher, ElasticsearchPublisher, PrometheusPublisher};
    ///
    /// let publisher = CompositePublisher::new(vec![
    ///     Box::new(PrometheusPublisher::new(9464)),
    ///     Box::new(ElasticsearchPublisher::new(["http://127.0.0.1:9200"], "shop")),
    /// ]);
    /// assert_eq!(publisher.names(), ["prometheus", "elasticsearch"]);
    /// ```
    pub fn new(publishers: Vec<Box<dyn MetricsPublisher>>) -> Self {
        let mut members = Vec::new();
        for publisher in publishers {
            match publisher.members() {
                Some(Members(own)) => members.extend(own),
                None => {
                    members.push(Member::Foreign { name: publisher.name().to_owned(), publisher: publisher.into() });
                }
            }
        }
        Self { front: Front::new(Plan::of(members)) }
    }

    /// Adds one, under a name that logs and reports call it.
    ///
    /// ```
    /// use metricast::{CompositePublisher, PrometheusPublisher};
    ///
    /// let publisher = CompositePublisher::new(vec![]).with("scrape", PrometheusPublisher::new(0));
    /// assert_eq!(publisher.names(), ["scrape"]);
    /// ```
    #[must_use]
    pub fn with(mut self, name: &str, publisher: impl MetricsPublisher + 'static) -> Self {
        let members = match publisher.members() {
            Some(Members(mut own)) => {
                if let [one] = own.as_mut_slice() {
                    name.clone_into(one.name_mut());
                }
                own
            }
            None => vec![Member::Foreign { name: name.to_owned(), publisher: Arc::new(publisher) }],
        };
        self.front.plan_mut().members.extend(members);
        self
    }

    /// Whether calls wait for a failing publisher whose queue is full, and with it the others: `false` by default.
    ///
    /// ```
    /// use metricast::{CompositePublisher, PrometheusPublisher};
    ///
    /// let publisher = CompositePublisher::new(vec![Box::new(PrometheusPublisher::new(0))]).wait_for_all(true);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn wait_for_all(mut self, wait: bool) -> Self {
        self.front.plan_mut().wait_for_all = wait;
        self
    }

    /// Where compiled plugins are kept from run to run: the user's cache folder by default.
    ///
    /// ```
    /// use metricast::engine::CompileCache;
    /// use metricast::{CompositePublisher, PrometheusPublisher};
    ///
    /// let publisher = CompositePublisher::new(vec![Box::new(PrometheusPublisher::new(0))]);
    /// let publisher = publisher.compile_cache(CompileCache::Off);
    /// # let _ = publisher;
    /// ```
    #[must_use]
    pub fn compile_cache(mut self, cache: CompileCache) -> Self {
        self.front.plan_mut().cache = cache;
        self
    }

    /// What its publishers are called, in order. The second of a name has `-2` behind it.
    ///
    /// ```
    /// use metricast::{CompositePublisher, PrometheusPublisher};
    ///
    /// let two = || Box::new(PrometheusPublisher::new(0));
    /// assert_eq!(CompositePublisher::new(vec![two(), two()]).names(), ["prometheus", "prometheus-2"]);
    /// ```
    pub fn names(&self) -> Vec<String> {
        self.front.names()
    }

    /// What one of its publishers shows to a scraper, with every record that was taken before this call.
    ///
    /// ```
    /// # use metricast::{CompositePublisher, ExpositionFormat, MetricsPublisher, PrometheusPublisher};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let publisher = CompositePublisher::new(vec![]).with("scrape", PrometheusPublisher::new(0));
    /// publisher.start().await?;
    /// let page = publisher.exposition("scrape", ExpositionFormat::Text).await?;
    /// assert!(page.contains("# TYPE metricast_unobserved_total counter"));
    /// assert!(publisher.exposition("another", ExpositionFormat::Text).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Where there is none of that name, it is not started or has nothing to show.
    pub async fn exposition(&self, publisher: &str, format: ExpositionFormat) -> Result<String, ExpositionError> {
        exposition_of(&self.front, Some(publisher), format).await
    }

    /// The end for code that must not wait.
    ///
    /// ```
    /// # use metricast::{CompositePublisher, PrometheusPublisher};
    /// let recorder = CompositePublisher::new(vec![Box::new(PrometheusPublisher::new(0))]).recorder();
    /// # let _ = recorder;
    /// ```
    pub fn recorder(&self) -> Recorder {
        self.front.recorder()
    }

    /// How its publishers stand; empty before it has started and after it was closed.
    ///
    /// ```
    /// # use metricast::{CompositePublisher, MetricsPublisher, PrometheusPublisher};
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let publisher = CompositePublisher::new(vec![Box::new(PrometheusPublisher::new(0))]);
    /// publisher.start().await?;
    /// assert_eq!(publisher.reports()[0].counts.accepted, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reports(&self) -> Vec<Report> {
        self.front.reports()
    }
}

super::options::delegate!(CompositePublisher);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ComponentPublisher, ElasticsearchPublisher, PrometheusPublisher};

    #[test]
    fn composites_of_composites_are_one_list_of_legs() {
        let inner = CompositePublisher::new(vec![
            Box::new(ElasticsearchPublisher::new(["http://a"], "a").named("search")),
            Box::new(PrometheusPublisher::new(0)),
        ]);
        let outer =
            CompositePublisher::new(vec![Box::new(inner), Box::new(ComponentPublisher::from_file("x/hook.wasm"))])
                .with("search", ElasticsearchPublisher::new(["http://b"], "b"));
        assert_eq!(outer.names(), ["search", "prometheus", "hook", "search-2"]);
    }

    #[test]
    fn no_two_have_one_name() {
        let named = |name: &str| ElasticsearchPublisher::new(["http://a"], "a").named(name);
        let all = ["search", "search-2", "search", "search"].map(named);
        let all =
            CompositePublisher::new(all.into_iter().map(|one| Box::new(one) as Box<dyn MetricsPublisher>).collect());
        assert_eq!(all.names(), ["search", "search-2", "search-3", "search-4"]);
    }

    #[test]
    fn a_name_stays_short_enough_with_a_number() {
        let one = |name: String| Box::new(ElasticsearchPublisher::new(["http://a"], "a").named(name));
        let long = "ä".repeat(32);
        let names = CompositePublisher::new(vec![one(long.clone()), one(long.clone())]).names();
        assert_eq!(names, [long, format!("{}-2", "ä".repeat(31))]);
    }

    #[tokio::test]
    async fn without_members_it_says_so() {
        let error = CompositePublisher::new(Vec::new()).start().await.unwrap_err();
        assert!(error.to_string().contains("no publisher"), "{error}");
    }
}
