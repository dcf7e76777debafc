use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use async_trait::async_trait;
use futures::FutureExt as _;
use metricast_records::{EventMetrics, NetworkMetrics};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::*;
use crate::api::settings::Source;
use crate::api::{CompositePublisher, ExpositionFormat, MetricsPublisher, PrometheusPublisher};

const WITHIN: Duration = Duration::from_secs(30);

fn event() -> EventMetrics {
    EventMetrics { event_name: "Pay".into(), start_time: 1.0, status: "running".into(), ..EventMetrics::default() }
}

/// To a port where nobody listens.
async fn to_nobody_with_one_record() -> Front {
    let mut settings = Settings::new("search", Source::Bundled("elasticsearch"));
    settings.set("hosts", json!(["http://127.0.0.1:1"]));
    settings.set("index_prefix", "shop");
    let front = Front::of(settings);
    front.publish(MetricsRef::Event(event().as_ref())).await.unwrap();
    front
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_starts_does_not_start_it_twice() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let publisher = PrometheusPublisher::new(port);
    assert!(publisher.publish_event_metrics(&event()).now_or_never().is_none());
    publisher.start().await.unwrap();
    publisher.publish_event_metrics(&event()).await.unwrap();
    publisher.flush(WITHIN).await.unwrap();
    assert_eq!(publisher.reports()[0].counts.accepted, 1);
    publisher.close(WITHIN).await.unwrap();
}

#[tokio::test]
async fn one_that_was_closed_before_it_started_never_starts() {
    let publisher = PrometheusPublisher::new(0);
    publisher.close(WITHIN).await.unwrap();
    assert!(matches!(publisher.publish_event_metrics(&event()).await, Err(PublishError::Closed)));
    assert!(matches!(publisher.start().await, Err(StartError::Closed)));
    assert_eq!(publisher.address(), None);
}

#[tokio::test]
async fn a_close_whose_caller_left_is_told_by_the_next() {
    let front = to_nobody_with_one_record().await;
    assert!(front.close(Duration::from_secs(1)).now_or_never().is_none());
    sleep(Duration::from_millis(200)).await;
    let undelivered = front.close(WITHIN).await.unwrap_err();
    assert_eq!((undelivered.records(), undelivered.publishers[0].waiting), (1, 1));
    front.close(WITHIN).await.unwrap();
}

#[tokio::test]
async fn a_flush_during_a_close_says_what_the_close_leaves() {
    let front = to_nobody_with_one_record().await;
    assert!(front.close(Duration::from_secs(1)).now_or_never().is_none());
    sleep(Duration::from_millis(200)).await;
    assert_eq!(front.flush(WITHIN).await.unwrap_err().records(), 1);
}

#[tokio::test]
async fn one_that_is_dropped_ends_though_a_flush_goes_on() {
    let front = to_nobody_with_one_record().await;
    assert!(front.flush(Duration::from_hours(1)).now_or_never().is_none());
    let running = Arc::downgrade(front.started().unwrap());
    assert_eq!(front.started().unwrap().abandon(), 1);
    drop(front);
    let is_over = async {
        while running.strong_count() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(WITHIN, is_over).await.expect("the flush ends with what it waits for");
}

/// Blocks its thread until the other end of this is gone.
#[derive(Clone)]
struct Blocking(Arc<Mutex<Receiver<()>>>, Arc<AtomicUsize>);

#[async_trait]
impl MetricsPublisher for Blocking {
    async fn publish_event_metrics(&self, _metrics: &EventMetrics) -> Result<(), PublishError> {
        let _ = self.0.lock().unwrap().recv();
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn publish_network_metrics(&self, _metrics: &NetworkMetrics) -> Result<(), PublishError> {
        Ok(())
    }
}

#[tokio::test]
async fn publishers_of_ones_own_that_block_hold_up_no_other() {
    let (open, gate) = mpsc::sync_channel(1);
    let blocking = Blocking(Arc::new(Mutex::new(gate)), Arc::default());
    let mut all = CompositePublisher::new(Vec::new());
    for name in ["a", "b", "c", "d"] {
        all = all.with(name, blocking.clone());
    }
    let all = all.with("scrape", PrometheusPublisher::new(0).without_server());
    all.publish_event_metrics(&event()).await.unwrap();
    all.publish_event_metrics(&event()).await.unwrap();
    let page = all.exposition("scrape", ExpositionFormat::Text).await.unwrap();
    assert!(page.contains("event_records_total{event_name=\"Pay\",status=\"running\"} 2"), "{page}");
    let asked = Instant::now();
    let undelivered = all.close(Duration::from_millis(100)).await.unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(10), "a close does not wait for them either");
    let waiting = undelivered.publishers.iter().map(|short| (short.publisher.as_str(), short.waiting));
    assert_eq!(waiting.collect::<Vec<_>>(), [("a", 2), ("b", 2), ("c", 2), ("d", 2)]);
    drop(open);
    while blocking.1.load(Ordering::Relaxed) < 4 {
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(100)).await;
    assert_eq!(blocking.1.load(Ordering::Relaxed), 4, "nothing comes after a close that reported it");
}

#[tokio::test]
async fn a_recorder_still_records_when_its_publisher_becomes_one_of_several() {
    let scraped = PrometheusPublisher::new(0);
    let recorder = scraped.recorder();
    let all = CompositePublisher::new(vec![Box::new(scraped)]);
    recorder.record_event(&event()).unwrap();
    all.close(WITHIN).await.unwrap();
    assert!(matches!(recorder.record_event(&event()), Err(PublishError::Closed)));
}
