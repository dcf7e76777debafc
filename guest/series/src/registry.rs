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
//!
//! Time comes from the caller: [`Registry::set_time`] says when the series start that are made from then on, and
//! [`Registry::begin_turn`] when idle series expire.

use crate::builder::Builder;
use crate::cap::{OVERFLOW_FAMILY, OVERFLOW_LABEL, SeriesLimit};
use crate::descriptor::Descriptor;
use crate::exemplars::Exemplar;
use crate::family::{Birth, Family, Slot};
use crate::histogram::Histograms;
use crate::labels::LabelTable;
use crate::view::{FamilyView, Page};

macro_rules! handles {
    ($family:ident, $series:ident, $kind:literal) => {
        #[doc = concat!("A family of ", $kind, "s.")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $family(pub(crate) u32);

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

/// Where an exemplar belongs. As a handle, it is good until [`Registry::generation`] changes.
#[derive(Debug, Clone, Copy)]
pub struct ExemplarPlace {
    family: Place,
    at: usize,
}

/// Families and their series.
#[derive(Debug, Clone)]
pub struct Registry {
    pub(crate) birth: Birth,
    /// How long a new series is shown as 0, seconds.
    pub(crate) hold: f64,
    /// Labels of every series.
    pub(crate) constants: Vec<(String, String)>,
    pub(crate) generation: u64,
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

impl Registry {
    /// A registry whose families hold `limit` series each.
    pub fn builder(limit: SeriesLimit) -> Builder {
        Builder::new(limit)
    }

    /// Changes when handles given before it are no longer good.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Says that series made from now on start at `time`, seconds since the Unix epoch.
    #[inline]
    pub fn set_time(&mut self, time: f64) {
        self.birth.time = time;
    }

    /// The turn that is recorded in.
    pub fn turn(&self) -> u32 {
        self.birth.turn
    }

    /// Begins a later turn. With `idle`, series that nothing was recorded in for more turns than that are removed; one
    /// that comes back starts anew.
    pub fn begin_turn(&mut self, turn: u32, idle: Option<u32>) {
        self.birth.turn = turn;
        let Some(oldest) = idle.and_then(|idle| turn.checked_sub(idle)) else {
            return;
        };
        let mut expired = false;
        self.counters.iter_mut().for_each(|family| expired |= family.expire(oldest));
        self.gauges.iter_mut().for_each(|family| expired |= family.expire(oldest));
        self.histograms.iter_mut().for_each(|family| expired |= family.expire(oldest));
        self.generation += u64::from(expired);
    }

    /// The counter of these label values, in the order of the labels.
    ///
    /// # Panics
    /// As all look-ups here, where there is not a value for each label.
    #[inline]
    pub fn counter(&mut self, family: CounterFamily, values: &[&str]) -> Counter {
        let slot = self.counters[family.0 as usize].resolve(values, self.birth);
        Counter { family: family.0, slot }
    }

    /// The counter of these label values, if something made it.
    pub fn find_counter(&self, family: CounterFamily, values: &[&str]) -> Option<Counter> {
        let slot = self.counters[family.0 as usize].find(values)?;
        Some(Counter { family: family.0, slot })
    }

    /// The label values of a family's counters.
    pub fn counter_labels(&self, family: CounterFamily) -> &LabelTable {
        &self.counters[family.0 as usize].rows.labels
    }

    /// Lets the counter of these label values stand at 0 before its first value; none where there is no room for it.
    pub fn declare_counter(&mut self, family: CounterFamily, values: &[&str]) -> Option<Counter> {
        let slot = self.counters[family.0 as usize].declare(values, self.birth)?;
        Some(Counter { family: family.0, slot })
    }

    /// The gauge of these label values, in the order of the labels; it is NaN until a value is recorded.
    #[inline]
    pub fn gauge(&mut self, family: GaugeFamily, values: &[&str]) -> Gauge {
        let slot = self.gauges[family.0 as usize].resolve(values, self.birth);
        Gauge { family: family.0, slot }
    }

    /// The histogram of these label values, in the order of the labels.
    #[inline]
    pub fn histogram(&mut self, family: HistogramFamily, values: &[&str]) -> Histogram {
        let slot = self.histograms[family.0 as usize].resolve(values, self.birth);
        Histogram { family: family.0, slot }
    }

    /// Lets the histogram of these label values stand at 0 before its first value; none where there is no room for it.
    pub fn declare_histogram(&mut self, family: HistogramFamily, values: &[&str]) -> Option<Histogram> {
        let slot = self.histograms[family.0 as usize].declare(values, self.birth)?;
        Some(Histogram { family: family.0, slot })
    }

    /// Adds `amount`, the sum of so many recorded `values`, to a counter.
    #[inline]
    pub fn add(&mut self, counter: Counter, amount: u128, values: u64) {
        let family = &mut self.counters[counter.family as usize];
        family.touch(counter.slot, self.birth.turn);
        let (cells, row) = family.record(counter.slot, values);
        cells[row] += amount;
    }

    /// Sets a gauge to `value`, the greatest of so many recorded `values`, where that is the greatest so far.
    #[inline]
    pub fn raise(&mut self, gauge: Gauge, value: f64, values: u64) {
        let family = &mut self.gauges[gauge.family as usize];
        family.touch(gauge.slot, self.birth.turn);
        let (cells, row) = family.record(gauge.slot, values);
        cells[row] = cells[row].max(value);
    }

    /// Adds a value to a histogram; NaN is no value.
    #[inline]
    pub fn observe(&mut self, histogram: Histogram, value: f64) {
        self.observe_at(histogram, value, f64::NEG_INFINITY);
        self.touch_histogram(histogram);
    }

    /// As [`observe`](Self::observe), at a time, for a caller that observes many values and then says once that they
    /// were there, with [`touch_histogram`](Self::touch_histogram). Where an exemplar of that time is due, its place is
    /// given back, and waits for [`put_exemplar`](Self::put_exemplar).
    #[inline]
    pub fn observe_at(&mut self, histogram: Histogram, value: f64, time: f64) -> Option<ExemplarPlace> {
        if value.is_nan() {
            return None;
        }
        let family = &mut self.histograms[histogram.family as usize];
        let (cells, row) = family.record(histogram.slot, 1);
        let at = cells.observe(row, value);
        family
            .exemplars
            .is_due(at, time)
            .then_some(ExemplarPlace { family: Place::Histogram(histogram.family as usize), at })
    }

    /// Where a counter keeps its exemplar, and from which time on another one is due; infinity where it has none.
    pub fn exemplar_due(&self, counter: Counter) -> (ExemplarPlace, f64) {
        let at = counter.slot.row();
        let due = self.counters[counter.family as usize].exemplars.due(at);
        (ExemplarPlace { family: Place::Counter(counter.family as usize), at }, due)
    }

    /// Puts an exemplar of the time `time` where one was due; with none the place waits for its next time all the same.
    ///
    /// # Panics
    /// Where no exemplar was due there.
    pub fn put_exemplar(&mut self, place: ExemplarPlace, time: f64, exemplar: Option<Exemplar>) {
        match place.family {
            Place::Counter(family) => self.counters[family].exemplars.put(place.at, time, exemplar),
            Place::Histogram(family) => self.histograms[family].exemplars.put(place.at, time, exemplar),
            Place::Gauge(_) => unreachable!("gauges have no exemplars"),
        }
    }

    /// Keeps a counter from expiring, as if something was recorded in it.
    #[inline]
    pub fn touch_counter(&mut self, counter: Counter) {
        self.counters[counter.family as usize].touch(counter.slot, self.birth.turn);
    }

    /// Keeps a histogram from expiring, as if something was observed.
    #[inline]
    pub fn touch_histogram(&mut self, histogram: Histogram) {
        self.histograms[histogram.family as usize].touch(histogram.slot, self.birth.turn);
    }

    /// Shows `visit` each family in the order of an exposition of the time `now`.
    pub(crate) fn visit(&self, now: f64, mut visit: impl FnMut(FamilyView<'_>)) {
        let page = Page { held_after: if self.hold > 0.0 { now - self.hold } else { f64::INFINITY }, ..self.page() };
        self.order.iter().for_each(|place| visit(self.view(*place, page)));
        visit(FamilyView::of_counters(&self.overflow_family(), page));
    }

    /// The families that were defined, in their order, and all of what they have.
    pub(crate) fn families(&self) -> impl Iterator<Item = FamilyView<'_>> {
        self.order.iter().map(|place| self.view(*place, self.page()))
    }

    /// Where the family of that name is.
    pub(crate) fn place(&self, name: &str) -> Option<Place> {
        self.order.iter().copied().find(|place| self.descriptor(*place).name() == name)
    }

    pub(crate) fn descriptor(&self, place: Place) -> &Descriptor {
        match place {
            Place::Counter(at) => &self.counters[at].descriptor,
            Place::Gauge(at) => &self.gauges[at].descriptor,
            Place::Histogram(at) => &self.histograms[at].descriptor,
        }
    }

    /// Forgets all series; handles given before are no longer good.
    pub(crate) fn clear(&mut self) {
        self.generation += 1;
        self.counters.iter_mut().for_each(Family::clear);
        self.gauges.iter_mut().for_each(Family::clear);
        self.histograms.iter_mut().for_each(Family::clear);
    }

    fn view<'a>(&'a self, place: Place, page: Page<'a>) -> FamilyView<'a> {
        match place {
            Place::Counter(at) => FamilyView::of_counters(&self.counters[at], page),
            Place::Gauge(at) => FamilyView::of_gauges(&self.gauges[at], page),
            Place::Histogram(at) => FamilyView::of_histograms(&self.histograms[at], page),
        }
    }

    /// One that holds nothing back.
    pub(crate) fn page(&self) -> Page<'_> {
        Page { constants: &self.constants, held_after: f64::INFINITY }
    }

    /// How many values found no room, as a family with a series for each family that can overflow.
    pub(crate) fn overflow_family(&self) -> Family<Vec<u128>> {
        let help = "Values recorded under __other__, because their family is full.";
        let descriptor = Descriptor::new(OVERFLOW_FAMILY, help).fixed_label(OVERFLOW_LABEL);
        let mut overflow = Family::new(descriptor, Vec::new());
        let birth = Birth { time: 0.0, ..self.birth };
        for family in self.families().filter(|family| family.descriptor.has_open_label()) {
            let slot = overflow.resolve(&[family.descriptor.name()], birth);
            let (cells, row) = overflow.record(slot, 1);
            cells[row] = u128::from(family.overflowed);
        }
        overflow
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "expiry_tests.rs"]
mod expiry_tests;
