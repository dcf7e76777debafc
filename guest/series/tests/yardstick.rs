//! Our registry and encoder beside the official Rust client: the same observations give the same page.

use std::collections::{BTreeMap, BTreeSet};

use metricast_series::{Buckets, Descriptor, HistogramForm, Registry, SeriesLimit, open_metrics};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry as Peer, Unit};
use proptest::prelude::*;

const BOUNDS: [f64; 4] = [0.0005, 0.5, 1.0, 600.0];

/// A run: name, status, seconds and bytes.
type Run = (String, String, f64, u64);

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let seconds = prop_oneof![0.0..2.0_f64, prop::sample::select(BOUNDS.to_vec()), 0.0..1e6_f64];
    prop::collection::vec(("[a-c]{1,2}", "[a-c]{1,2}", seconds, 0..1_u64 << 40), 1..80)
}

fn ours(runs: &[Run]) -> Registry {
    let mut builder = Registry::builder(SeriesLimit::default());
    let labelled =
        |name: &str, help: &str, unit: &str| Descriptor::new(name, help).unit(unit).label("name").label("status");
    let moved = builder.counter(labelled("moved_bytes", "Bytes.", "bytes")).expect("a family");
    let buckets = Buckets::new(&BOUNDS).expect("a layout");
    let took = builder
        .histogram(labelled("took_seconds", "Time.", "seconds"), buckets, HistogramForm::Both)
        .expect("a family");
    let mut registry = builder.build();
    for (name, status, seconds, bytes) in runs {
        let counter = registry.counter(moved, &[name, status]);
        registry.add(counter, u128::from(*bytes), 1);
        let histogram = registry.histogram(took, &[name, status]);
        registry.observe(histogram, *seconds);
    }
    registry
}

type Labels = Vec<(String, String)>;

fn peers(runs: &[Run]) -> String {
    let moved = Family::<Labels, Counter<u64>>::default();
    let took = Family::<Labels, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS));
    let mut peer = Peer::default();
    peer.register_with_unit("moved", "Bytes", Unit::Bytes, moved.clone());
    peer.register_with_unit("took", "Time", Unit::Seconds, took.clone());
    for (name, status, seconds, bytes) in runs {
        let labels = vec![("name".to_owned(), name.clone()), ("status".to_owned(), status.clone())];
        moved.get_or_create(&labels).inc_by(*bytes);
        took.get_or_create(&labels).observe(*seconds);
    }
    let mut page = String::new();
    encode(&mut page, &peer).expect("written to memory");
    page
}

/// A name and its labels, whose order is free.
type Series<'a> = (&'a str, BTreeSet<&'a str>);

/// Comments, and samples with their values; the overflow counter is only ours.
fn parts(page: &str) -> (BTreeSet<&str>, BTreeMap<Series<'_>, f64>) {
    let (comments, samples): (Vec<_>, Vec<_>) =
        page.lines().filter(|line| !line.contains("series_overflow")).partition(|line| line.starts_with('#'));
    let samples = samples.into_iter().map(|line| {
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        let (name, labels) = series.trim_end_matches('}').split_once('{').expect("a series has labels");
        ((name, labels.split(',').collect()), value.parse().expect("a value is a number"))
    });
    (comments.into_iter().collect(), samples.collect())
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs())
}

proptest! {
    #[test]
    fn the_official_client_says_the_same(runs in runs()) {
        let mut page = Vec::new();
        open_metrics::encode(&ours(&runs), 0.0, &mut page);
        let page = String::from_utf8(page).expect("a page is UTF-8");
        let peers = peers(&runs);
        let ((our_comments, our_samples), (peer_comments, peer_samples)) = (parts(&page), parts(&peers));
        prop_assert_eq!(our_comments, peer_comments);
        prop_assert_eq!(our_samples.keys().collect::<Vec<_>>(), peer_samples.keys().collect::<Vec<_>>());
        for (series, value) in our_samples {
            prop_assert!(close(value, peer_samples[&series]), "{:?} {} {}", series, value, peer_samples[&series]);
        }
    }
}
