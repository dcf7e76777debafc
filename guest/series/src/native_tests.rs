use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// `2^(j/8)`, rounded once.
const EIGHTHS: [f64; 8] = [
    1.0,
    1.090_507_732_665_257_7,
    1.189_207_115_002_721,
    1.296_839_554_651_009_6,
    std::f64::consts::SQRT_2,
    1.542_210_825_407_940_7,
    1.681_792_830_507_429,
    1.834_008_086_409_342_4,
];

/// The upper bound of a bucket of the finest schema.
fn bound(key: i32) -> f64 {
    let octave = key.div_euclid(8);
    // Two steps, because 2^1024 and what is below 2^-1022 are no factors.
    EIGHTHS[key.rem_euclid(8) as usize] * 2_f64.powi(octave / 2) * 2_f64.powi(octave - octave / 2)
}

/// Where a value belongs by the definition alone.
fn expected(value: f64) -> i32 {
    if value.is_infinite() {
        return 8193;
    }
    let near = (value.log2() * 8.0) as i32;
    (near - 3..near + 4).find(|key| bound(key - 1) < value && value <= bound(*key)).expect("a bucket near by")
}

/// Keys of the finest schema, halved until both limits hold for all of them.
fn model(values: &[f64]) -> (i32, BTreeMap<i32, u64>) {
    let mut counts = BTreeMap::new();
    for value in values.iter().filter(|value| **value > ZERO_THRESHOLD) {
        *counts.entry(expected(*value)).or_insert(0) += 1;
    }
    let mut schema = 3;
    let too_much = |counts: &BTreeMap<i32, u64>| {
        let ends = counts.first_key_value().zip(counts.last_key_value());
        counts.len() > 160 || ends.is_some_and(|((low, _), (high, _))| high - low >= 512)
    };
    while too_much(&counts) {
        let mut halved = BTreeMap::new();
        for (key, count) in counts {
            *halved.entry((key + 1).div_euclid(2)).or_insert(0) += count;
        }
        (schema, counts) = (schema - 1, halved);
    }
    (schema, counts)
}

fn observed(values: &[f64]) -> Native {
    let mut native = Native::default();
    for value in values {
        native.observe(*value);
    }
    native
}

fn buckets(native: &Native) -> BTreeMap<i32, u64> {
    (native.first..).zip(native.counts.iter().copied()).filter(|(_, count)| *count > 0).collect()
}

/// Values of all magnitudes, of one, and at the edges.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let any = prop::num::f64::POSITIVE | prop::num::f64::ZERO;
    let usual = prop_oneof![0.0..600.0_f64, 1e-6..1e-3_f64];
    let edge = (-1100..8200_i32).prop_map(|key| bound(key.clamp(-1023, 8191)));
    prop_oneof![
        prop::collection::vec(any, 0..300),
        prop::collection::vec(usual, 0..600),
        prop::collection::vec(prop_oneof![edge, any, Just(f64::INFINITY)], 0..400),
    ]
}

proptest! {
    #[test]
    fn each_value_is_in_the_bucket_that_its_definition_names(value in prop::num::f64::POSITIVE) {
        prop_assume!(value > ZERO_THRESHOLD);
        prop_assert_eq!(key(value.to_bits()), expected(value));
    }

    #[test]
    fn buckets_and_resolution_are_those_of_the_model_whatever_the_order(
        values in values(),
        seed in any::<u64>(),
    ) {
        let native = observed(&values);
        let (schema, counts) = model(&values);
        prop_assert_eq!(native.schema(), schema);
        prop_assert_eq!(buckets(&native), counts);
        prop_assert_eq!(native.zero, values.iter().filter(|value| **value <= ZERO_THRESHOLD).count() as u64);
        let mut turned = values;
        let length = turned.len().max(1);
        turned.rotate_left((seed % length as u64) as usize % length);
        turned.reverse();
        prop_assert_eq!(observed(&turned), native);
    }

    #[test]
    fn what_came_to_be_is_restored(values in values()) {
        let native = observed(&values);
        let Native { zero, halvings, first, counts, .. } = native.clone();
        prop_assert_eq!(Native::restored(zero, halvings, first, counts), Some(native));
    }
}

#[test]
fn bounds_are_inclusive() {
    for wanted in [-1000, -8, -1, 0, 1, 3, 4, 7, 8, 81, 8000] {
        let value = bound(wanted);
        assert_eq!(
            [value.next_down(), value, value.next_up()].map(|value| key(value.to_bits())),
            [wanted, wanted, wanted + 1],
            "{wanted}"
        );
    }
    assert_eq!(key(f64::MAX.to_bits()), 8192);
    assert_eq!(buckets(&observed(&[f64::INFINITY, f64::INFINITY])), BTreeMap::from([(8193, 2)]));
}

#[test]
fn nothing_much_counts_as_zero() {
    let native = observed(&[0.0, -0.0, 5e-324, ZERO_THRESHOLD, -1.0, ZERO_THRESHOLD.next_up()]);
    assert_eq!(ZERO_THRESHOLD.to_bits(), 2_f64.powi(-128).to_bits());
    assert_eq!((native.zero, buckets(&native)), (5, BTreeMap::from([(-1023, 1)])));
}

#[test]
fn all_magnitudes_at_once_find_room() {
    let values: Vec<f64> = (-1023..8193).map(bound).chain([f64::INFINITY]).collect();
    let native = observed(&values);
    assert_eq!(native.schema(), -3);
    assert_eq!(native.counts.iter().sum::<u64>(), values.len() as u64);
}

#[test]
fn what_could_not_have_come_to_be_is_not_restored() {
    let restored = |halvings, first, counts: &[u64]| Native::restored(0, halvings, first, counts.to_vec()).is_some();
    assert!(restored(0, -5, &[1, 0, 1]));
    assert!(restored(0, 0, &[]));
    assert!(!restored(0, 0, &[0, 1]));
    assert!(!restored(0, 0, &[1, 0]));
    assert!(!restored(8, 0, &[1]));
    assert!(!restored(0, i32::MAX, &[1]));
    assert!(!restored(0, 0, &[1; 161]));
    let mut wide = vec![0; 513];
    (wide[0], wide[512]) = (1, 1);
    assert!(!restored(0, 0, &wide));
}
