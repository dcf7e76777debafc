//! The registry: families, and the series that are recorded into.
//!
//! A family is defined once, before anything is recorded. A series is looked up by its label values, which costs a hash
//! of them, and gives a handle; recording by handle costs no look-up. A handle is a plain index that stays good until
//! [`Registry::generation`] changes.
//!
//! Numbers: a counter holds a `u128` and is exact; text shows it exactly up to 2^64-1 and as a float beyond. A gauge is
//! an `f64`. A histogram has a `u64` a bucket and a sum that does not drift.
//!
//! Order: families in the order of their definition, the counter of overflowed values last, series in the order of
//! their first coming. So equal histories give equal bytes.

use std::collections::HashSet;

use crate::cap::{OVERFLOW_FAMILY, OVERFLOW_LABEL, SeriesLimit};
use crate::descriptor::{DefineError, Descriptor};
use crate::family::{Family, Slot};
use crate::histogram::{Buckets, Histograms};
use crate::view::FamilyView;

macro_rules! handles {
    ($family:ident, $series:ident, $kind:literal) => {
        #[doc = concat!("A family of ", $kind, "s.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $family(u32);

        #[doc = concat!("A ", $kind, " in its family.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $series {
            family: u32,
            slot: Slot,
        }
    };
}

handles!(CounterFamily, Counter, "counter");
handles!(GaugeFamily, Gauge, "gauge");
handles!(HistogramFamily, Histogram, "histogram");

const COUNTER_SAMPLES: &[&str] = &["", "_total", "_created"];
const GAUGE_SAMPLES: &[&str] = &[""];
const HISTOGRAM_SAMPLES: &[&str] = &["", "_bucket", "_count", "_sum", "_created"];

/// Families and their series.
#[derive(Debug, Clone)]
pub struct Registry {
    limit: SeriesLimit,
    generation: u64,
    pub(crate) order: Vec<Place>,
    pub(crate) counters: Vec<Family<Vec<u128>>>,
    pub(crate) gauges: Vec<Family<Vec<f64>>>,
    pub(crate) histograms: Vec<Family<Histograms>>,
}

/// Where a family is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    Counter(usize),
    Gauge(usize),
    Histogram(usize),
}

/// Defines the families of a [`Registry`].
#[derive(Debug)]
pub struct Builder {
    registry: Registry,
    sample_names: HashSet<String>,
}

impl Builder {
    /// A family of counters; its samples are called `name_total`.
    ///
    /// # Errors
    /// As all definitions here, where a name breaks a rule or is taken.
    pub fn counter(&mut self, descriptor: Descriptor) -> Result<CounterFamily, DefineError> {
        self.claim(&descriptor, COUNTER_SAMPLES)?;
        let at = self.registry.counters.len();
        self.registry.order.push(Place::Counter(at));
        self.registry.counters.push(Family::new(descriptor, Vec::new()));
        Ok(CounterFamily(at as u32))
    }

    /// A family of gauges.
    ///
    /// # Errors
    /// Where a name breaks a rule or is taken.
    pub fn gauge(&mut self, descriptor: Descriptor) -> Result<GaugeFamily, DefineError> {
        self.claim(&descriptor, GAUGE_SAMPLES)?;
        let at = self.registry.gauges.len();
        self.registry.order.push(Place::Gauge(at));
        self.registry.gauges.push(Family::new(descriptor, Vec::new()));
        Ok(GaugeFamily(at as u32))
    }

    /// A family of histograms with these buckets.
    ///
    /// # Errors
    /// Where a name breaks a rule or is taken.
    pub fn histogram(&mut self, descriptor: Descriptor, buckets: Buckets) -> Result<HistogramFamily, DefineError> {
        self.claim(&descriptor, HISTOGRAM_SAMPLES)?;
        let at = self.registry.histograms.len();
        self.registry.order.push(Place::Histogram(at));
        self.registry.histograms.push(Family::new(descriptor, Histograms::new(buckets)));
        Ok(HistogramFamily(at as u32))
    }

    /// The registry of the families defined so far.
    pub fn build(self) -> Registry {
        self.registry
    }

    fn claim(&mut self, descriptor: &Descriptor, suffixes: &[&str]) -> Result<(), DefineError> {
        descriptor.check()?;
        let names: Vec<String> = sample_names(descriptor.name(), suffixes).collect();
        if names.iter().any(|name| self.sample_names.contains(name)) {
            return Err(DefineError::Clash(descriptor.name().to_owned()));
        }
        self.sample_names.extend(names);
        Ok(())
    }
}

fn sample_names(name: &str, suffixes: &[&str]) -> impl Iterator<Item = String> {
    suffixes.iter().map(move |suffix| format!("{name}{suffix}"))
}

impl Registry {
    /// A registry whose families hold `limit` series each.
    pub fn builder(limit: SeriesLimit) -> Builder {
        let registry = Self {
            limit,
            generation: 0,
            order: Vec::new(),
            counters: Vec::new(),
            gauges: Vec::new(),
            histograms: Vec::new(),
        };
        let sample_names = sample_names(OVERFLOW_FAMILY, COUNTER_SAMPLES).collect();
        Builder { registry, sample_names }
    }

    /// Changes when handles given before it are no longer good.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The counter of these label values, in the order of the labels.
    ///
    /// # Panics
    /// As all look-ups here, where there is not a value for each label.
    #[inline]
    pub fn counter(&mut self, family: CounterFamily, values: &[&str]) -> Counter {
        let slot = self.counters[family.0 as usize].resolve(values, self.limit);
        Counter { family: family.0, slot }
    }

    /// The counter of these label values, if something made it.
    pub fn find_counter(&self, family: CounterFamily, values: &[&str]) -> Option<Counter> {
        let slot = self.counters[family.0 as usize].find(values)?;
        Some(Counter { family: family.0, slot })
    }

    /// Lets the counter of these label values stand at 0 before its first value, where there is room for it.
    pub fn declare_counter(&mut self, family: CounterFamily, values: &[&str]) {
        self.counters[family.0 as usize].declare(values, self.limit);
    }

    /// The gauge of these label values, in the order of the labels; it is NaN until a value is recorded.
    #[inline]
    pub fn gauge(&mut self, family: GaugeFamily, values: &[&str]) -> Gauge {
        let slot = self.gauges[family.0 as usize].resolve(values, self.limit);
        Gauge { family: family.0, slot }
    }

    /// The histogram of these label values, in the order of the labels.
    #[inline]
    pub fn histogram(&mut self, family: HistogramFamily, values: &[&str]) -> Histogram {
        let slot = self.histograms[family.0 as usize].resolve(values, self.limit);
        Histogram { family: family.0, slot }
    }

    /// Lets the histogram of these label values stand at 0 before its first value, where there is room for it.
    pub fn declare_histogram(&mut self, family: HistogramFamily, values: &[&str]) {
        self.histograms[family.0 as usize].declare(values, self.limit);
    }

    /// Adds `amount`, the sum of so many recorded `values`, to a counter.
    #[inline]
    pub fn add(&mut self, counter: Counter, amount: u128, values: u64) {
        let (cells, row) = self.counters[counter.family as usize].record(counter.slot, values);
        cells[row] += amount;
    }

    /// Sets a gauge to `value`, the greatest of so many recorded `values`, where that is the greatest so far.
    #[inline]
    pub fn raise(&mut self, gauge: Gauge, value: f64, values: u64) {
        let (cells, row) = self.gauges[gauge.family as usize].record(gauge.slot, values);
        cells[row] = cells[row].max(value);
    }

    /// Adds a value to a histogram; NaN is no value.
    #[inline]
    pub fn observe(&mut self, histogram: Histogram, value: f64) {
        if value.is_nan() {
            return;
        }
        let (cells, row) = self.histograms[histogram.family as usize].record(histogram.slot, 1);
        cells.observe(row, value);
    }

    /// Shows `visit` each family in the order of an exposition.
    pub(crate) fn visit(&self, mut visit: impl FnMut(FamilyView<'_>)) {
        self.families().for_each(&mut visit);
        visit(FamilyView::of_counters(&self.overflow_family()));
    }

    /// The families that were defined, in their order.
    pub(crate) fn families(&self) -> impl Iterator<Item = FamilyView<'_>> {
        self.order.iter().map(|place| self.view(*place))
    }

    pub(crate) fn view(&self, place: Place) -> FamilyView<'_> {
        match place {
            Place::Counter(at) => FamilyView::of_counters(&self.counters[at]),
            Place::Gauge(at) => FamilyView::of_gauges(&self.gauges[at]),
            Place::Histogram(at) => FamilyView::of_histograms(&self.histograms[at]),
        }
    }

    /// Where the family of that name is.
    pub(crate) fn place(&self, name: &str) -> Option<Place> {
        self.order.iter().copied().find(|place| self.view(*place).descriptor.name() == name)
    }

    /// Forgets all series; handles given before are no longer good.
    pub(crate) fn clear(&mut self) {
        self.generation += 1;
        self.counters.iter_mut().for_each(Family::clear);
        self.gauges.iter_mut().for_each(Family::clear);
        self.histograms.iter_mut().for_each(Family::clear);
    }

    /// How many values found no room, as a family with a series for each family that can overflow.
    fn overflow_family(&self) -> Family<Vec<u128>> {
        let help = "Values recorded under __other__, because their family is full.";
        let descriptor = Descriptor::new(OVERFLOW_FAMILY, help).fixed_label(OVERFLOW_LABEL);
        let mut overflow = Family::new(descriptor, Vec::new());
        for family in self.families().filter(FamilyView::can_overflow) {
            let slot = overflow.resolve(&[family.descriptor.name()], self.limit);
            let (cells, row) = overflow.record(slot, 1);
            cells[row] = u128::from(family.overflowed);
        }
        overflow
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
