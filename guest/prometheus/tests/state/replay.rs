//! The same records, however they come: any cut, any order, any restart.

use proptest::prelude::*;

use super::*;

fn record() -> impl Strategy<Value = Metrics> {
    let seconds = || prop::option::of(0.0..100.0_f64);
    let status = prop_oneof![Just("completed"), Just("failed"), Just("pending"), Just("odd")];
    let record = prop_oneof![
        ("[a-e]", status, 0..4_u32, seconds()).prop_map(|(name, status, n, s)| event(&name, status, n, s)),
        ("[a-e]", prop::option::of("oops"), any::<u64>(), seconds())
            .prop_map(|(name, e, n, s)| network(&name, e, n, s)),
    ];
    (record, prop::option::of("[v-z]"), prop::option::of(any::<u16>())).prop_map(|(record, tenant, traced)| {
        let tenant = tenant.map(|tenant| ("tenant".to_owned(), tenant));
        let trace = traced.map(|trace| ("trace_id".to_owned(), trace.to_string()));
        with(record, tenant.into_iter().chain(trace).collect())
    })
}

/// Records, each with when it was received: mostly soon after the one before, now and then long after or before it.
fn received(most: usize) -> impl Strategy<Value = Vec<(Metrics, f64)>> {
    let later = prop_oneof![8 => 0.0..20.0_f64, 1 => 900.0..20_000.0_f64, 1 => -2000.0..0.0_f64];
    prop::collection::vec((record(), later), 1..most).prop_map(|records| {
        let mut now = 1_795_400_000.0;
        let at = |(record, later)| {
            now += later;
            (record, now)
        };
        records.into_iter().map(at).collect()
    })
}

fn config() -> impl Strategy<Value = Config> {
    let limit = prop_oneof![1..8_u64, Just(10_000)];
    let hours = prop::option::of(1..3_u64);
    // Records ended up to 100 s after 1000 and 2000.
    let age = prop::option::of(1_795_398_000..1_795_400_500_u64);
    let tenants = prop::option::of(1..4_u32);
    (limit, hours, any::<bool>(), any::<bool>(), age, tenants).prop_map(
        |(series_limit, hours, extra_metrics, native, age, tenants)| Config {
            series_limit,
            extra_metrics,
            histograms: if native { Histograms::Both } else { Histograms::Classic },
            expire_after: hours.map(|hours| Time(Duration::from_hours(hours))),
            max_age: age.map(|seconds| Time(Duration::from_secs(seconds))),
            labels: tenants.map(|max| ("tenant".to_owned(), tenant(None, Some(max)))).into_iter().collect(),
            exemplars: false,
            ..Config::default()
        },
    )
}

/// A batch of the records from `start` to `end`, and what happens after it.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    SendAgain,
    Restart,
    /// The process dies: the state is that of an earlier snapshot, and all since then comes again.
    Crash,
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![Just(Then::Nothing), Just(Then::SendAgain), Just(Then::Restart), Just(Then::Crash)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn however_it_is_cut_sent_again_or_restarted_the_page_is_the_same(
        records in received(60),
        steps in prop::collection::vec((1..20_usize, then()), 0..16),
        config in config(),
    ) {
        let mut publisher = opened(&config, None);
        let (mut kept, mut from) = (publisher.snapshot(), 0);
        for (size, then) in steps {
            let to = records.len().min(from + size);
            let batch = batch_of(&records[from..to]).placed("epoch", from as u64);
            publisher.publish(&batch).expect("taken");
            from = to;
            match then {
                Then::Nothing => {}
                Then::SendAgain => { publisher.publish(&batch.with_redelivered(true)).expect("taken"); }
                Then::Restart => {
                    kept = publisher.snapshot();
                    publisher = opened(&config, kept.clone());
                }
                Then::Crash => {
                    publisher = opened(&config, kept.clone());
                    from = kept.as_ref().map_or(0, |saved| saved.next_offset as usize);
                }
            }
        }
        publisher.publish(&batch_of(&records[from..]).placed("later epoch", from as u64)).expect("taken");
        let mut straight = opened(&config, None);
        straight.publish(&batch_of(&records).placed("epoch", 0)).expect("taken");
        prop_assert_eq!(page(&publisher), page(&straight));
        prop_assert_eq!(messages(&publisher), messages(&straight));
    }

    #[test]
    fn however_it_is_cut_the_exemplars_are_the_same(
        records in received(60),
        sizes in prop::collection::vec(1..20_usize, 0..16),
        config in config(),
    ) {
        let config = Config { exemplars: true, ..config };
        let (mut cut, mut straight) = (opened(&config, None), opened(&config, None));
        let mut from = 0;
        for size in sizes.into_iter().chain([records.len()]) {
            let to = records.len().min(from + size);
            cut.publish(&batch_of(&records[from..to]).placed("epoch", from as u64)).expect("taken");
            from = to;
        }
        straight.publish(&batch_of(&records).placed("epoch", 0)).expect("taken");
        prop_assert_eq!(messages(&cut), messages(&straight));
        let open_metrics = |publisher: &PrometheusPublisher| publisher.scrape("application/openmetrics-text");
        prop_assert_eq!(open_metrics(&cut), open_metrics(&straight));
    }

    #[test]
    fn in_another_order_the_samples_are_the_same(records in prop::collection::vec(record(), 1..60), turn: prop::sample::Index) {
        let config = limited(10_000);
        let (first, second) = records.split_at(turn.index(records.len()));
        let mut publisher = opened(&config, None);
        publisher.publish(&batch(second)).expect("taken");
        publisher.publish(&batch(first)).expect("taken");
        let (turned, straight) = (page(&publisher), at_once(&config, &records));
        prop_assert_eq!(sorted(&turned), sorted(&straight));
    }
}

/// The lines in an order of their own, with sums rounded: floats add up a little differently in another order.
fn sorted(page: &str) -> Vec<String> {
    let mut lines: Vec<String> = page
        .lines()
        .map(|line| match line.rsplit_once(' ') {
            Some((series, value)) if series.contains("_sum") => {
                format!("{series} {:.9}", value.parse::<f64>().expect("a number"))
            }
            _ => line.to_owned(),
        })
        .collect();
    lines.sort();
    lines
}
