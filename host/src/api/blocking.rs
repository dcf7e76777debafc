//! The same for programs without an asynchronous runtime.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use metricast_records::{EventMetrics, Metrics, NetworkMetrics};
use tokio::task::unconstrained;

use super::house::Threads;
use super::publisher::{MetricsPublisher, PublishError};
use super::start::StartError;
use super::undelivered::Undelivered;

/// Any publisher, with calls that block the thread: for programs without an asynchronous runtime.
///
/// The work is done on threads of this crate. A call on a thread of a runtime is no panic, but holds that thread up
/// while it waits: there, use the publisher itself.
///
/// ```
/// use std::time::Duration;
///
/// use metricast::{BlockingPublisher, EventMetrics, ExpositionFormat, PrometheusPublisher};
///
/// let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
/// publisher.publish_event_metrics(&EventMetrics {
///     event_name: "Pay".into(),
///     start_time: 1_795_368_571.5,
///     end_time: Some(1_795_368_571.75),
///     status: "completed".into(),
///     ..EventMetrics::default()
/// })?;
/// publisher.flush(Duration::from_secs(10))?;
/// let page = publisher.wait(publisher.get().exposition(ExpositionFormat::Text))?;
/// assert!(page.contains(r#"event_duration_seconds_sum{event_name="Pay",status="completed"} 0.25"#), "{page}");
/// publisher.close(Duration::from_secs(10))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BlockingPublisher<P> {
    publisher: P,
    threads: Arc<Threads>,
}

impl<P: MetricsPublisher> BlockingPublisher<P> {
    /// Starts a publisher.
    ///
    /// ```
    /// use metricast::{BlockingPublisher, ElasticsearchPublisher};
    ///
    /// let started = BlockingPublisher::start(ElasticsearchPublisher::new(["localhost:9200"], "shop"));
    /// assert!(started.err().unwrap().to_string().starts_with("elasticsearch: hosts[0]: "));
    /// ```
    ///
    /// # Errors
    /// As [`MetricsPublisher::start`].
    pub fn start(publisher: P) -> Result<Self, StartError> {
        let front = Self { publisher, threads: Threads::shared()? };
        front.wait(front.publisher.start())?;
        Ok(front)
    }

    /// As [`MetricsPublisher::publish_event_metrics`].
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, EventMetrics, PrometheusPublisher};
    /// let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// let refused = publisher.publish_event_metrics(&EventMetrics::default()).unwrap_err();
    /// assert_eq!(refused.to_string(), "event_name is empty: a record needs one");
    /// # Ok::<(), metricast::StartError>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn publish_event_metrics(&self, metrics: &EventMetrics) -> Result<(), PublishError> {
        self.wait(self.publisher.publish_event_metrics(metrics))
    }

    /// As [`MetricsPublisher::publish_network_metrics`].
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, NetworkMetrics, PrometheusPublisher};
    /// # let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// let connect = NetworkMetrics { operation: "connect".into(), host: "db".into(), ..NetworkMetrics::default() };
    /// publisher.publish_network_metrics(&connect)?;
    /// # publisher.close(std::time::Duration::from_secs(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn publish_network_metrics(&self, metrics: &NetworkMetrics) -> Result<(), PublishError> {
        self.wait(self.publisher.publish_network_metrics(metrics))
    }

    /// As [`MetricsPublisher::format_metrics`].
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, NetworkMetrics, PrometheusPublisher};
    /// # let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// let connect = NetworkMetrics { operation: "connect".into(), host: "db".into(), ..NetworkMetrics::default() };
    /// assert!(publisher.format_metrics(&connect.into()).contains(r#""metric_type":"network""#));
    /// # Ok::<(), metricast::StartError>(())
    /// ```
    pub fn format_metrics(&self, metrics: &Metrics) -> String {
        self.publisher.format_metrics(metrics)
    }

    /// As [`MetricsPublisher::flush`].
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, PrometheusPublisher};
    /// # let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// publisher.flush(std::time::Duration::from_secs(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn flush(&self, within: Duration) -> Result<(), Undelivered> {
        self.wait(self.publisher.flush(within))
    }

    /// As [`MetricsPublisher::close`].
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, PrometheusPublisher};
    /// # let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// publisher.close(std::time::Duration::from_secs(10))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn close(&self, within: Duration) -> Result<(), Undelivered> {
        self.wait(self.publisher.close(within))
    }

    /// The publisher itself, for what it has beside these.
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, PrometheusPublisher};
    /// # let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// let address = publisher.get().address();
    /// assert!(address.is_some());
    /// # Ok::<(), metricast::StartError>(())
    /// ```
    pub fn get(&self) -> &P {
        &self.publisher
    }

    /// The publisher, to be used from asynchronous code.
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, MetricsPublisher, PrometheusPublisher};
    /// # let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// let publisher: PrometheusPublisher = publisher.into_inner();
    /// assert_eq!(publisher.name(), "prometheus");
    /// # Ok::<(), metricast::StartError>(())
    /// ```
    pub fn into_inner(self) -> P {
        self.publisher
    }

    /// Waits for any other call of the publisher, which may use tokio's timers and sockets.
    ///
    /// ```
    /// # use metricast::{BlockingPublisher, ExpositionFormat, PrometheusPublisher};
    /// # let publisher = BlockingPublisher::start(PrometheusPublisher::new(0))?;
    /// let page = publisher.wait(publisher.get().exposition(ExpositionFormat::Text))?;
    /// assert!(page.contains("# TYPE event_duration_seconds histogram"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        let _entered = self.threads.enter();
        // A task of tokio that used up its budget would wait for ever: it gets more only where it yields.
        let mut call = pin!(unconstrained(call));
        // A record finds room at once as a rule.
        if let Poll::Ready(done) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return done;
        }
        let waker = Waker::from(Arc::new(Parked(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(done) = call.as_mut().poll(&mut context) {
                return done;
            }
            thread::park();
        }
    }
}

impl<P: std::fmt::Debug> std::fmt::Debug for BlockingPublisher<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BlockingPublisher").field(&self.publisher).finish()
    }
}

/// A thread that waits.
struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{ExpositionFormat, PrometheusPublisher};

    #[tokio::test(flavor = "current_thread")]
    async fn it_works_on_the_only_thread_of_a_runtime() {
        let publisher = BlockingPublisher::start(PrometheusPublisher::new(0)).unwrap();
        assert!(publisher.get().address().is_some());
        publisher.close(Duration::from_secs(10)).unwrap();
    }

    #[test]
    fn a_task_of_a_runtime_may_make_as_many_calls_as_it_likes() {
        let (tell, done) = std::sync::mpsc::sync_channel(1);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let publisher = BlockingPublisher::start(PrometheusPublisher::new(0)).unwrap();
                // More than tokio lets a task do before it yields.
                (0..300).for_each(|_| publisher.flush(Duration::from_secs(10)).unwrap());
                let show = || publisher.wait(publisher.get().exposition(ExpositionFormat::Text)).unwrap();
                (0..300).for_each(|_| assert!(show().contains("# TYPE")));
                publisher.close(Duration::from_secs(10)).unwrap();
            });
            tell.send(()).unwrap();
        });
        done.recv_timeout(Duration::from_mins(1)).expect("no call hangs");
    }
}
