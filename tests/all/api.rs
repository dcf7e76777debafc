//! The Rust API against real servers, and against faults that they do not make.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use metricast::config::Batching;
use metricast::{
    BlockingPublisher, CompositePublisher, ElasticsearchPublisher, EventMetrics, ExpositionFormat, Indices, Metrics,
    MetricsPublisher, NetworkMetrics, PrometheusPublisher, PublishError, async_trait, clock,
};
use metricast_records::input;
use serde_json::json;
use support::prometheus::Prometheus;
use support::search::Node;
use support::stub::{Answer, Stub};
use support::{Server, data, http};

use crate::truth::{FILE, RECORDS, truth};

/// More than a small queue and the batches before it hold.
const MANY: u64 = 20_000;
const PATIENCE: Duration = Duration::from_mins(1);

fn real_records() -> Vec<Metrics> {
    let file = std::fs::read(data(FILE)).unwrap();
    let lines = file.split(|byte| *byte == b'\n');
    lines.filter_map(|line| Some(input::parse_line(line).unwrap()?.as_ref().to_owned())).collect()
}

fn event(name: &str) -> EventMetrics {
    EventMetrics {
        event_name: name.to_owned(),
        start_time: clock::now(),
        end_time: Some(clock::now()),
        status: "completed".into(),
        ..EventMetrics::default()
    }
}

async fn publish_all(publisher: &dyn MetricsPublisher, records: &[Metrics]) {
    for record in records {
        match record {
            Metrics::Event(event) => publisher.publish_event_metrics(event).await.unwrap(),
            Metrics::Network(network) => publisher.publish_network_metrics(network).await.unwrap(),
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A publisher to a real node, with its user if it has one.
fn to_node(node: &Node, prefix: &str) -> ElasticsearchPublisher {
    let publisher = ElasticsearchPublisher::new([node.url()], prefix);
    match node.user() {
        Some((user, password)) => publisher.basic(user, password),
        None => publisher,
    }
}

/// A publisher to one that knows no data streams.
fn to_stub(stub: &Stub) -> ElasticsearchPublisher {
    ElasticsearchPublisher::new([stub.url()], "shop").indices(Indices::Daily)
}

fn counted(node: &Node, stream: &str) -> u64 {
    node.post(&format!("/{stream}/_refresh"), &json!({}));
    node.count(stream)
}

/// A node that takes nothing: every `_bulk` is answered so.
fn node_that_answers_bulks(bulk: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        let answer = match (request.method.as_str(), request.path.split('?').next().unwrap_or_default()) {
            ("GET", "/") => {
                Answer::json(200, &json!({"version": {"number": "8.19.0"}, "tagline": "You Know, for Search"}))
            }
            ("POST", path) if path.ends_with("_bulk") => bulk(request.text()),
            ("GET", _) => Answer::json(404, &json!({})),
            _ => Answer::json(200, &json!({"acknowledged": true})),
        };
        answer.with_header("x-elastic-product", "Elasticsearch")
    })
}

#[test]
fn real_records_one_by_one_are_in_a_real_opensearch_when_flush_returns() {
    let Some(node) = Node::shared() else { return };
    let records = real_records();
    run(async {
        let publisher = to_node(&node, "api-async").service("shop");
        publish_all(&publisher, &records).await;
        publisher.flush(PATIENCE).await.unwrap();
        let stored = counted(&node, "api-async-event") + counted(&node, "api-async-network");
        assert_eq!(stored, RECORDS);
        assert_eq!(publisher.reports()[0].counts.accepted, RECORDS);
        publisher.close(PATIENCE).await.unwrap();
        let refused = publisher.publish_event_metrics(&event("late")).await;
        assert!(matches!(refused, Err(PublishError::Closed)), "{refused:?}");
    });
}

#[test]
fn threads_without_a_runtime_publish_to_a_real_opensearch() {
    let Some(node) = Node::shared() else { return };
    let publisher = BlockingPublisher::start(to_node(&node, "api-blocking")).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| publisher.publish_event_metrics(&event("Pay")).unwrap()));
        }
    });
    publisher.close(PATIENCE).unwrap();
    assert_eq!(counted(&node, "api-blocking-event"), 2_000);
}

#[test]
fn a_real_prometheus_queries_what_the_records_say() {
    let records = real_records();
    let truth = truth();
    let publisher = BlockingPublisher::start(PrometheusPublisher::new(0)).unwrap();
    let address = publisher.get().address().unwrap().to_string();
    let Some(prometheus) = Prometheus::scraping(Server::Prometheus3, &[&address]) else { return };
    publisher.wait(publish_all(publisher.get(), &records));
    publisher.flush(PATIENCE).unwrap();
    prometheus.wait_for("sum(event_records_total) + sum(network_operations_total)", RECORDS as f64);
    for (operation, (sent, received)) in &truth.bytes {
        for (direction, bytes) in [("sent", sent), ("received", received)] {
            let series = format!("network_bytes_total{{operation=\"{operation}\",direction=\"{direction}\"}}");
            prometheus.wait_for(&series, *bytes as f64);
        }
    }
    publisher.close(PATIENCE).unwrap();
    assert!(http::get(&format!("http://{address}/metrics")).is_err(), "its port is free again");
}

/// One of a user's own.
#[derive(Default)]
struct Own {
    taken: AtomicU64,
    tries: AtomicU64,
}

struct Shared(Arc<Own>);

#[async_trait]
impl MetricsPublisher for Shared {
    async fn publish_event_metrics(&self, metrics: &EventMetrics) -> Result<(), PublishError> {
        assert_ne!(metrics.event_name, "panic", "on purpose");
        if metrics.event_name == "never" {
            return Err(PublishError::Rejected("not wanted".into()));
        }
        // The first try of each third record fails.
        if self.0.tries.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
            return Err(PublishError::Unavailable("busy".into()));
        }
        self.0.taken.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn publish_network_metrics(&self, _metrics: &NetworkMetrics) -> Result<(), PublishError> {
        self.0.taken.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    #[expect(clippy::unnecessary_literal_bound, reason = "the trait has it so")]
    fn name(&self) -> &str {
        "own"
    }
}

#[test]
fn a_publisher_of_ones_own_is_tried_again_and_its_panic_costs_one_record() {
    let own = Arc::new(Own::default());
    run(async {
        let legs: Vec<Box<dyn MetricsPublisher>> =
            vec![Box::new(PrometheusPublisher::new(0)), Box::new(Shared(Arc::clone(&own)))];
        let publisher = CompositePublisher::new(legs);
        for name in ["a", "panic", "b", "never", "c"] {
            publisher.publish_event_metrics(&event(name)).await.unwrap();
        }
        let undelivered = publisher.flush(PATIENCE).await.unwrap_err();
        let [shortfall] = undelivered.publishers.as_slice() else { panic!("{undelivered}") };
        assert_eq!((shortfall.publisher.as_str(), shortfall.rejected, shortfall.waiting), ("own", 2, 0));
        let reasons = shortfall.reasons.iter().map(ToString::to_string).collect::<String>();
        assert!(reasons.contains("on purpose") && reasons.contains("not wanted"), "{reasons}");
        assert_eq!(own.taken.load(Ordering::Relaxed), 3);
        let page = publisher.exposition("prometheus", ExpositionFormat::Text).await.unwrap();
        assert!(page.contains(r#"event_records_total{event_name="panic",status="completed"} 1"#), "{page}");
        publisher.close(PATIENCE).await.unwrap();
    });
}

#[test]
fn a_failing_leg_whose_queue_is_full_stops_no_other_and_what_it_misses_is_told() {
    let away = node_that_answers_bulks(|_| Answer::text(503, "busy"));
    run(async {
        let search = to_stub(&away).queue_size(64 << 10);
        let publisher = CompositePublisher::new(vec![Box::new(search), Box::new(PrometheusPublisher::new(0))]);
        for _ in 0..MANY {
            publisher.publish_event_metrics(&event("Pay")).await.unwrap();
        }
        let page = publisher.exposition("prometheus", ExpositionFormat::Text).await.unwrap();
        assert!(
            page.contains(&format!("event_records_total{{event_name=\"Pay\",status=\"completed\"}} {MANY}")),
            "{page}"
        );
        let undelivered = publisher.close(Duration::from_millis(300)).await.unwrap_err();
        let [shortfall] = undelivered.publishers.as_slice() else { panic!("{undelivered}") };
        assert_eq!(shortfall.publisher, "elasticsearch");
        assert!(shortfall.missed > 0 && shortfall.waiting > 0, "{shortfall}");
        assert_eq!(shortfall.records(), MANY);
        assert!(shortfall.why.as_deref().is_some_and(|why| why.contains("busy") || why.contains("503")), "{shortfall}");
    });
}

#[test]
fn what_the_backend_rejects_is_told_once_with_its_words() {
    let rejecting = node_that_answers_bulks(|body| {
        let error = json!({"type": "mapper_parsing_exception", "reason": "no such field"});
        let items: Vec<_> =
            (0..body.lines().count() / 2).map(|_| json!({"create": {"status": 400, "error": error}})).collect();
        Answer::json(200, &json!({"errors": true, "items": items}))
    });
    run(async {
        let at_once = Batching { max_age: Duration::ZERO, ..Batching::default() };
        let publisher = to_stub(&rejecting).compression(metricast::Compression::None).batching(at_once);
        for _ in 0..3 {
            publisher.publish_event_metrics(&event("Pay")).await.unwrap();
        }
        let undelivered = publisher.flush(PATIENCE).await.unwrap_err();
        assert_eq!((undelivered.records(), undelivered.publishers[0].rejected), (3, 3));
        assert!(undelivered.to_string().contains("no such field"), "{undelivered}");
        publisher.flush(PATIENCE).await.unwrap();
        publisher.close(PATIENCE).await.unwrap();
    });
}

#[test]
fn a_flush_ends_at_its_deadline_and_what_waits_arrives_later() {
    let away = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let node = {
        let away = Arc::clone(&away);
        node_that_answers_bulks(move |body| {
            if away.load(Ordering::SeqCst) {
                return Answer::text(503, "busy");
            }
            let items: Vec<_> = (0..body.lines().count() / 2).map(|_| json!({"create": {"status": 201}})).collect();
            Answer::json(200, &json!({"errors": false, "items": items}))
        })
    };
    run(async {
        let publisher = to_stub(&node).retry(Duration::from_millis(10), Duration::from_millis(50));
        publisher.publish_event_metrics(&event("Pay")).await.unwrap();
        let undelivered = publisher.flush(Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(undelivered.publishers[0].waiting, 1, "{undelivered}");
        away.store(false, Ordering::SeqCst);
        publisher.flush(PATIENCE).await.unwrap();
        publisher.close(PATIENCE).await.unwrap();
    });
}

#[test]
fn a_full_queue_makes_calls_wait_and_recorders_count() {
    let away = node_that_answers_bulks(|_| Answer::text(503, "busy"));
    run(async {
        let publisher = to_stub(&away).queue_size(8 << 10);
        let recorder = publisher.recorder();
        let filled = tokio::time::timeout(Duration::from_secs(2), async {
            loop {
                publisher.publish_event_metrics(&event("Pay")).await.unwrap();
            }
        });
        assert!(filled.await.is_err(), "calls wait");
        assert!(matches!(recorder.record_event(&event("Pay")), Err(PublishError::Full)));
        let undelivered = publisher.close(Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(undelivered.unqueued, 1, "{undelivered}");
        assert!(undelivered.publishers[0].waiting >= 1_000, "{undelivered}");
    });
}

#[test]
fn a_credential_given_in_rust_reaches_the_backend_and_no_one_else() {
    let node = node_that_answers_bulks(|_| {
        Answer::json(200, &json!({"errors": false, "items": [{"create": {"status": 201}}]}))
    });
    let publisher = BlockingPublisher::start(to_stub(&node).api_key("hunter2")).unwrap();
    publisher.publish_event_metrics(&event("Pay")).unwrap();
    publisher.close(PATIENCE).unwrap();
    let requests = node.requests();
    assert!(requests.len() > 1);
    for request in requests {
        assert_eq!(request.header("authorization"), "ApiKey hunter2");
    }
}
