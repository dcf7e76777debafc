use super::*;
use crate::{Buckets, Counter, Descriptor, HistogramForm, Registry, SeriesLimit, open_metrics, protobuf};
use proptest::prelude::*;

/// What can be recorded: label values and a number.
#[derive(Debug, Clone)]
enum Record {
    Count(String, String, u64),
    Raise(String, f64),
    Observe(String, f64),
    Declare(String),
    Time(f64),
    Turn(u32),
}

fn record() -> impl Strategy<Value = Record> {
    let label = || prop_oneof!["[ab\"\\\\\n]{0,3}", Just("__other__".to_owned()), "\\PC{0,5}"];
    prop_oneof![
        (label(), label(), any::<u64>()).prop_map(|(name, direction, n)| Record::Count(name, direction, n)),
        (label(), any::<f64>()).prop_map(|(name, value)| Record::Raise(name, value)),
        (label(), any::<f64>()).prop_map(|(name, value)| Record::Observe(name, value)),
        (label(), 0.0..100.0_f64).prop_map(|(name, value)| Record::Observe(name, value)),
        label().prop_map(Record::Declare),
        (0.0..1e10_f64).prop_map(Record::Time),
        (0..4_u32).prop_map(Record::Turn),
    ]
}

/// A registry with a family of each kind.
struct Fixture {
    registry: Registry,
    families: (crate::CounterFamily, crate::GaugeFamily, crate::HistogramFamily),
}

fn fixture(limit: u64, bounds: &[f64]) -> Fixture {
    formed(limit, bounds, HistogramForm::Both)
}

fn formed(limit: u64, bounds: &[f64], form: HistogramForm) -> Fixture {
    let mut builder = Registry::builder(SeriesLimit::new(limit).expect("a limit"));
    let moved = Descriptor::new("moved_bytes", "Bytes.").unit("bytes").label("name").fixed_label("direction");
    let moved = builder.counter(moved).expect("a family");
    let last = builder.gauge(Descriptor::new("last", "Last.").label("name")).expect("a family");
    let buckets = Buckets::new(bounds).expect("a layout");
    let took = builder.histogram(Descriptor::new("took", "Took.").label("name"), buckets, form).expect("a family");
    Fixture { registry: builder.build(), families: (moved, last, took) }
}

impl Fixture {
    fn apply(&mut self, record: &Record) {
        let (moved, last, took) = self.families;
        match record {
            Record::Count(name, direction, n) => {
                let counter: Counter = self.registry.counter(moved, &[name, direction]);
                self.registry.add(counter, u128::from(*n), 1);
            }
            Record::Raise(name, value) => {
                let gauge = self.registry.gauge(last, &[name]);
                self.registry.raise(gauge, *value, 1);
            }
            Record::Observe(name, value) => {
                let histogram = self.registry.histogram(took, &[name]);
                self.registry.observe(histogram, *value);
            }
            Record::Declare(name) => drop(self.registry.declare_histogram(took, &[name])),
            Record::Time(time) => self.registry.set_time(*time),
            Record::Turn(later) => self.registry.begin_turn(self.registry.turn() + later, Some(5)),
        }
    }

    fn with(mut self, records: &[Record]) -> Self {
        for record in records {
            self.apply(record);
        }
        self
    }

    fn page(&self) -> String {
        let mut out = Vec::new();
        open_metrics::encode(&self.registry, 0.0, &mut out);
        String::from_utf8(out).expect("a page is UTF-8")
    }

    /// What protobuf says besides: native buckets and starts.
    fn messages(&self) -> Vec<u8> {
        let mut out = Vec::new();
        protobuf::encode(&self.registry, 0.0, &mut out);
        out
    }

    fn snapshot(&self, watermark: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write(&self.registry, watermark, &mut out);
        out
    }
}

/// Makes the checksum of changed bytes fit again.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() >= 16 {
        let checksum = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

fn sample() -> Fixture {
    fixture(2, &[0.5, 1.0]).with(&[
        Record::Count("a".into(), "sent".into(), u64::MAX),
        Record::Count("a".into(), "sent".into(), 1),
        Record::Count("b".into(), "sent".into(), 7),
        Record::Count("c".into(), "sent".into(), 1),
        Record::Raise("a".into(), 1.5),
        Record::Observe("a".into(), 0.75),
        Record::Observe("b".into(), 9.0),
    ])
}

proptest! {
    #[test]
    fn any_registry_comes_back_as_it_was_and_goes_on_alike(
        limit in 1..4_u64,
        before in prop::collection::vec(record(), 0..60),
        after in prop::collection::vec(record(), 0..20),
        watermark: u64,
    ) {
        let original = fixture(limit, &[0.5, 1.0]).with(&before);
        let mut copy = fixture(limit, &[0.5, 1.0]).with(&after);
        let restored = restore(&mut copy.registry, &original.snapshot(watermark));
        prop_assert_eq!(restored, Ok(Restored { watermark, reset: vec![], dropped: vec![] }));
        prop_assert_eq!(copy.page(), original.page());
        prop_assert_eq!(copy.messages(), original.messages());
        let snapshot = original.snapshot(watermark);
        prop_assert_eq!(copy.snapshot(watermark), snapshot.clone());
        prop_assert!(snapshot.len() + 200 > original.snapshot(watermark).capacity(), "its memory was taken once");
        // The time of the next series is the caller's to say, and no state.
        let later: Vec<Record> = std::iter::once(Record::Time(5.0)).chain(after).collect();
        let (copy, original) = (copy.with(&later), original.with(&later));
        prop_assert_eq!(copy.messages(), original.messages());
        prop_assert_eq!(copy.page(), original.page());
    }

    #[test]
    fn any_bytes_are_an_error_and_change_nothing(bytes: Vec<u8>) {
        let mut fixture = sample();
        let before = fixture.page();
        prop_assert!(restore(&mut fixture.registry, &bytes).is_err());
        prop_assert_eq!(fixture.page(), before);
    }

    #[test]
    fn any_flipped_bit_is_found(at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = sample().snapshot(3);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let mut fixture = sample();
        let before = fixture.page();
        prop_assert!(restore(&mut fixture.registry, &bytes).is_err());
        prop_assert_eq!(fixture.page(), before);
    }

    #[test]
    fn damage_under_a_good_checksum_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        length: prop::sample::Index,
    ) {
        let mut bytes = sample().snapshot(3);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(bytes.len() - length.index(bytes.len()).saturating_sub(bytes.len() / 2));
        let mut fixture = sample();
        let before = fixture.page();
        match restore(&mut fixture.registry, &sealed(bytes)) {
            Err(_) => prop_assert_eq!(fixture.page(), before),
            Ok(_) => prop_assert!(fixture.with(&[Record::Observe("a".into(), 0.1)]).page().ends_with("# EOF\n")),
        }
    }
}

fn refused(bytes: &[u8]) -> SnapshotError {
    restore(&mut sample().registry, bytes).expect_err("refused")
}

#[test]
fn each_kind_of_wrong_bytes_has_its_error() {
    let good = sample().snapshot(3);
    assert_eq!(refused(b""), SnapshotError::NotASnapshot);
    assert_eq!(refused(b"{\"a\":1}"), SnapshotError::NotASnapshot);
    assert_eq!(refused(&good[..good.len() - 1]), SnapshotError::Checksum);
    assert_eq!(refused(&good[..10]), SnapshotError::Malformed("it ends too early"));
    let mut later = good.clone();
    later[8] = 2;
    assert_eq!(refused(&later).to_string(), "the snapshot has version 2, and only version 1 can be read");
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(refused(&sealed(longer)), SnapshotError::Malformed("something follows its end"));
    let mut hungry = good[..28].to_vec();
    hungry.extend_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(refused(&sealed(hungry)), SnapshotError::Malformed("it ends too early"));
}

#[test]
fn handles_from_before_are_told_by_the_generation() {
    let mut fixture = sample();
    let before = fixture.registry.generation();
    restore(&mut fixture.registry, &sample().snapshot(0)).expect("restored");
    assert_ne!(fixture.registry.generation(), before);
}

#[test]
fn other_buckets_start_their_histogram_anew_and_leave_the_rest() {
    let mut copy = fixture(2, &[0.25]);
    let restored = restore(&mut copy.registry, &sample().snapshot(9)).expect("restored");
    assert_eq!(restored, Restored { watermark: 9, reset: vec!["took".into()], dropped: vec![] });
    let page = copy.page();
    assert!(!page.contains("took_count"), "{page}");
    assert!(page.contains(r#"moved_bytes_total{name="b",direction="sent"} 7"#), "{page}");
}

#[test]
fn native_buckets_start_their_histogram_anew_and_go_without_a_trace() {
    let classic = formed(2, &[0.5, 1.0], HistogramForm::Classic).with(&[Record::Observe("a".into(), 0.75)]);
    let restored = restore(&mut fixture(2, &[0.5, 1.0]).registry, &classic.snapshot(9)).expect("restored");
    assert_eq!(restored.reset, ["took"]);
    let mut copy = formed(2, &[0.5, 1.0], HistogramForm::Classic);
    let restored = restore(&mut copy.registry, &sample().snapshot(9)).expect("restored");
    assert_eq!(restored.reset, [""; 0]);
    assert!(copy.page().contains("took_count{name=\"a\"} 1\n"), "{}", copy.page());
    assert_eq!(copy.with(&[Record::Observe("a".into(), 0.75)]).page().matches("le=\"+Inf\"} 2").count(), 1);
}

#[test]
fn a_family_that_is_no_more_is_left_out() {
    let mut builder = Registry::builder(SeriesLimit::default());
    let moved = Descriptor::new("moved_bytes", "Bytes.").unit("bytes").label("name").label("way");
    builder.counter(moved).expect("a family");
    builder.gauge(Descriptor::new("took", "")).expect("a family");
    let mut registry = builder.build();
    let restored = restore(&mut registry, &sample().snapshot(9)).expect("restored");
    assert_eq!(restored.reset, ["moved_bytes", "took"]);
    assert_eq!(restored.dropped, ["last"]);
}

#[test]
fn a_lower_limit_keeps_the_series_that_are_there() {
    let full = fixture(3, &[1.0]).with(&["a", "b", "c"].map(|name| Record::Raise(name.into(), 1.0)));
    let mut copy = fixture(1, &[1.0]);
    restore(&mut copy.registry, &full.snapshot(0)).expect("restored");
    let page = copy.with(&[Record::Raise("d".into(), 2.0), Record::Raise("c".into(), 3.0)]).page();
    for line in ["last{name=\"a\"} 1\n", "last{name=\"c\"} 3\n", "last{name=\"__other__\"} 2\n"] {
        assert!(page.contains(line), "{page}");
    }
}
