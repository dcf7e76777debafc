//! A snapshot as OpenMetrics text: metricast's own metrics. docs/monitoring.md tells each of them to users.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use super::snapshot::{PublisherView, QueueView, Snapshot, State};

/// What [`text`] is written in.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of a snapshot.
pub fn text(snapshot: &Snapshot) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Shown(snapshot.clone())));
    let mut text = String::new();
    encode(&mut text, &registry).expect("a text can be written to");
    text
}

#[derive(Debug)]
struct Shown(Snapshot);

type Label<'a> = [(&'static str, &'a str); 1];
type Labels<'a> = [(&'static str, &'a str); 2];
type NoExemplar<'a> = Option<&'a Exemplar<NoLabelSet, f64>>;

/// A number of a publisher, by name and meaning.
type Number = (&'static str, &'static str, fn(&PublisherView) -> u64);

/// Without the `_total` that their names end on.
const COUNTERS: [Number; 6] = [
    ("metricast_publisher_retries", "Records that were sent again, each time counted", |it| it.counts.retried),
    (
        "metricast_publisher_in_doubt",
        "Records that were sent again without knowing what had come of them, each time counted",
        |it| it.counts.in_doubt,
    ),
    ("metricast_publisher_faults", "Plugin instances lost to a trap, a limit or a time-out", |it| it.counts.faults),
    ("metricast_publisher_batches", "Batches that were answered for", |it| it.counts.batches),
    ("metricast_publisher_bytes", "Bytes of packed records that were handed to the plugin", |it| it.counts.bytes),
    ("metricast_dead_letters_evicted", "Dead letters removed since there were too many", |it| it.dead_letters_evicted),
];

const GAUGES: [Number; 6] = [
    ("metricast_publisher_lag_records", "Records that it has no answer for", |it| it.lag_records),
    ("metricast_publisher_caught_up", "Whether it has read all that was there at the start", |it| {
        u64::from(it.caught_up)
    }),
    ("metricast_publisher_pending_records", "Accepted records that its plugin still holds", |it| it.pending),
    ("metricast_publisher_last_snapshot_bytes", "Bytes of the last snapshot of its plugin's state", |it| {
        it.last_snapshot_bytes
    }),
    ("metricast_publisher_unkept", "Whether what it did cannot be kept", |it| u64::from(it.not_kept.is_some())),
    ("metricast_dead_letters", "Dead letters that are held", |it| it.dead_letters),
];

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let mut build = encoder.encode_descriptor("metricast_build", "The program", None, MetricType::Info)?;
        build.encode_info(&[("version", self.0.version.as_str())])?;
        self.process(encoder)?;
        self.ingest(encoder)?;
        if let Some(queue) = &self.0.queue {
            queue_metrics(queue, encoder)?;
            self.held_by(queue, encoder)?;
        }
        self.publishers(encoder)
    }
}

impl Shown {
    fn process(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let started = "When the process started, in seconds since the Unix epoch";
        gauge(encoder, "metricast_start_timestamp", started, Some(&Unit::Seconds))?.encode_gauge(&self.0.started)?;
        let reloads = self.0.reloads;
        let mut family =
            counter(encoder, "metricast_config_reloads", "New configs while running, by what came of them")?;
        for (result, count) in [("applied", reloads.applied), ("refused", reloads.refused)] {
            count_of(&mut family, &[("result", result)], count)?;
        }
        let help = "Whether the last new config was applied; 1 where there was none";
        let successful = i64::from(!reloads.last_refused);
        gauge(encoder, "metricast_config_last_reload_successful", help, None)?.encode_gauge(&successful)
    }

    fn ingest(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let ingest = &self.0.ingest;
        let mut family = counter(encoder, "metricast_ingest_requests", "Requests to the ingest port, by status")?;
        for (status, count) in &ingest.requests {
            count_of(&mut family, &[("status", status.to_string().as_str())], *count)?;
        }
        let mut family = counter(encoder, "metricast_ingest_records", "Records that came in, by what came of them")?;
        for (result, count) in [("accepted", ingest.accepted), ("refused", ingest.refused)] {
            count_of(&mut family, &[("result", result)], count)?;
        }
        Ok(())
    }

    fn held_by(&self, queue: &QueueView, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Whether the full queue waits for this publisher";
        let mut family = gauge(encoder, "metricast_queue_held_by", help, None)?;
        let names = self.0.publishers.iter().map(|it| &it.name);
        let absent = queue.held_by.iter().filter(|name| self.0.publishers.iter().all(|it| it.name != **name));
        for name in names.chain(absent) {
            let labels: Label<'_> = [("publisher", name)];
            family.encode_family(&labels)?.encode_gauge(&i64::from(queue.held_by.contains(name)))?;
        }
        Ok(())
    }

    fn publishers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let publishers = &self.0.publishers;
        let mut family = gauge(encoder, "metricast_publisher_state", "What a publisher does: 1 for its state", None)?;
        for it in publishers {
            for state in State::ALL {
                let labels: Labels<'_> = [("publisher", &it.name), ("state", state.name())];
                family.encode_family(&labels)?.encode_gauge(&i64::from(it.state == state))?;
            }
        }
        let help = "Age of the oldest record that it has no answer for, 0 where there is none";
        let mut family = gauge(encoder, "metricast_publisher_lag", help, Some(&Unit::Seconds))?;
        for it in publishers {
            let labels: Label<'_> = [("publisher", &it.name)];
            family.encode_family(&labels)?.encode_gauge(&it.lag_seconds)?;
        }
        for (name, help, number) in GAUGES {
            let mut family = gauge(encoder, name, help, None)?;
            for it in publishers {
                let labels: Label<'_> = [("publisher", &it.name)];
                family.encode_family(&labels)?.encode_gauge(&number(it))?;
            }
        }
        for (name, help, number) in COUNTERS {
            let mut family = counter(encoder, name, help)?;
            for it in publishers {
                count_of(&mut family, &[("publisher", it.name.as_str())], number(it))?;
            }
        }
        self.outcomes(encoder)
    }

    fn outcomes(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut family =
            counter(encoder, "metricast_publisher_records", "Records that are done with, by how they ended")?;
        for it in &self.0.publishers {
            let counts = it.counts;
            for (outcome, count) in [
                ("accepted", counts.accepted),
                ("rejected", counts.rejected),
                ("given_up", counts.given_up),
                ("dropped", counts.dropped),
            ] {
                let labels: Labels<'_> = [("publisher", &it.name), ("outcome", outcome)];
                count_of(&mut family, &labels, count)?;
            }
        }
        Ok(())
    }
}

fn queue_metrics(queue: &QueueView, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Records that some publisher has not answered for";
    gauge(encoder, "metricast_queue_records", help, None)?.encode_gauge(&queue.records)?;
    for (name, help, bytes) in [
        ("metricast_queue", "Memory or disk that the queue takes", queue.bytes),
        ("metricast_queue_max", "Memory or disk that the queue may take", queue.max_bytes),
    ] {
        gauge(encoder, name, help, Some(&Unit::Bytes))?.encode_gauge(&bytes)?;
    }
    let help = "Records that damage of the disk has cost, each counted once a publisher that needed it";
    counter(encoder, "metricast_queue_lost_records", help)?.encode_counter(&queue.lost, None as NoExemplar<'_>)?;
    // A queue in memory has no syncs, and its histogram no observations.
    let help = "How long it took to sync what is acknowledged";
    let mut syncs =
        encoder.encode_descriptor("metricast_queue_sync", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    let buckets = apart(&queue.syncs);
    let count = queue.syncs.last().map_or(0, |(_, count)| *count);
    syncs.encode_histogram::<NoLabelSet>(queue.sync_seconds, count, &buckets, None)
}

/// Counts between two bounds, of counts up to each bound.
fn apart(buckets: &[(f64, u64)]) -> Vec<(f64, u64)> {
    if buckets.is_empty() {
        return vec![(f64::INFINITY, 0)];
    }
    let mut before = 0;
    let count = |&(bound, total): &(f64, u64)| (bound, total.saturating_sub(std::mem::replace(&mut before, total)));
    buckets.iter().map(count).collect()
}

fn gauge<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
    unit: Option<&'s Unit>,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, unit, MetricType::Gauge)
}

fn counter<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn count_of(family: &mut MetricEncoder<'_>, labels: &impl EncodeLabelSet, count: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter(&count, None as NoExemplar<'_>)
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::CountsView;
    use super::*;

    #[test]
    fn a_snapshot_is_told_in_full() {
        let publisher = PublisherView {
            name: "search".into(),
            state: State::Waiting,
            lag_records: 12,
            lag_seconds: 3.5,
            counts: CountsView { accepted: 7, dropped: 2, in_doubt: 1, ..CountsView::default() },
            dead_letters: 4,
            ..PublisherView::default()
        };
        let queue = QueueView {
            bytes: 90,
            max_bytes: 100,
            held_by: vec!["search".into(), "gone".into()],
            syncs: vec![(0.001, 2), (f64::INFINITY, 3)],
            sync_seconds: 1.5,
            ..QueueView::default()
        };
        let page = text(&Snapshot { queue: Some(queue), publishers: vec![publisher], ..Snapshot::default() });
        for line in [
            "metricast_queue_bytes 90",
            "metricast_queue_max_bytes 100",
            "metricast_queue_sync_seconds_bucket{le=\"0.001\"} 2",
            "metricast_queue_sync_seconds_bucket{le=\"+Inf\"} 3",
            "metricast_queue_held_by{publisher=\"search\"} 1",
            "metricast_queue_held_by{publisher=\"gone\"} 1",
            "metricast_publisher_state{publisher=\"search\",state=\"waiting\"} 1",
            "metricast_publisher_state{publisher=\"search\",state=\"running\"} 0",
            "metricast_publisher_lag_records{publisher=\"search\"} 12",
            "metricast_publisher_lag_seconds{publisher=\"search\"} 3.5",
            "metricast_publisher_records_total{publisher=\"search\",outcome=\"accepted\"} 7",
            "metricast_publisher_records_total{publisher=\"search\",outcome=\"dropped\"} 2",
            "metricast_publisher_in_doubt_total{publisher=\"search\"} 1",
            "metricast_dead_letters{publisher=\"search\"} 4",
            "metricast_config_last_reload_successful 1",
            "# EOF",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is missing in\n{page}");
        }
    }
}
