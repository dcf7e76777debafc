//! The definition of a registry's families, before anything is recorded.

use std::collections::HashSet;

use crate::cap::{OVERFLOW_FAMILY, OVERFLOW_LABEL, SeriesLimit};
use crate::descriptor::{DefineError, Descriptor, is_label_name};
use crate::family::{Birth, Family};
use crate::histogram::{Buckets, HistogramForm, Histograms};
use crate::registry::{CounterFamily, GaugeFamily, HistogramFamily, Place, Registry};

const COUNTER_SAMPLES: &[&str] = &["", "_total", "_created"];
const GAUGE_SAMPLES: &[&str] = &[""];
const HISTOGRAM_SAMPLES: &[&str] = &["", "_bucket", "_count", "_sum", "_created"];

/// Defines the families of a [`Registry`].
#[derive(Debug)]
pub struct Builder {
    registry: Registry,
    sample_names: HashSet<String>,
}

impl Builder {
    pub(crate) fn new(limit: SeriesLimit) -> Self {
        let registry = Registry {
            birth: Birth { limit, time: 0.0, turn: 0 },
            hold: 0.0,
            constants: Vec::new(),
            generation: 0,
            order: Vec::new(),
            counters: Vec::new(),
            gauges: Vec::new(),
            histograms: Vec::new(),
        };
        Self { registry, sample_names: sample_names(OVERFLOW_FAMILY, COUNTER_SAMPLES).collect() }
    }

    /// Shows each counter and histogram as 0 for so many seconds from its start.
    ///
    /// The first value of a series is invisible to `increase()`, which sees only how a value changes from scrape to
    /// scrape. A 0 that stands long enough for every scraper to see it makes the first value a change.
    #[must_use]
    pub fn hold_new_series(mut self, seconds: f64) -> Self {
        self.registry.hold = seconds;
        self
    }

    /// A label that every series has, whatever its family. An empty value is no label.
    ///
    /// # Errors
    /// Where the name breaks a rule or is taken. Families come after it.
    pub fn constant_label(&mut self, name: &str, value: &str) -> Result<(), DefineError> {
        let (family, label) = ("every family".to_owned(), name.to_owned());
        if !is_label_name(name) {
            return Err(DefineError::Label { name: family, label });
        }
        let constants = &mut self.registry.constants;
        if matches!(name, "le" | OVERFLOW_LABEL) || constants.iter().any(|(earlier, _)| earlier == name) {
            return Err(DefineError::LabelTaken { name: family, label });
        }
        constants.push((name.to_owned(), crate::cap::cut(value).to_owned()));
        Ok(())
    }

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

    /// A family of histograms with these classic buckets.
    ///
    /// # Errors
    /// Where a name breaks a rule or is taken.
    pub fn histogram(
        &mut self,
        descriptor: Descriptor,
        buckets: Buckets,
        form: HistogramForm,
    ) -> Result<HistogramFamily, DefineError> {
        self.claim(&descriptor, HISTOGRAM_SAMPLES)?;
        let at = self.registry.histograms.len();
        self.registry.order.push(Place::Histogram(at));
        self.registry.histograms.push(Family::new(descriptor, Histograms::new(buckets, form)));
        Ok(HistogramFamily(at as u32))
    }

    /// The registry of the families defined so far.
    pub fn build(self) -> Registry {
        self.registry
    }

    fn claim(&mut self, descriptor: &Descriptor, suffixes: &[&str]) -> Result<(), DefineError> {
        descriptor.check()?;
        let constants = &self.registry.constants;
        if let Some(label) = descriptor.label_names().find(|name| constants.iter().any(|(taken, _)| taken == name)) {
            return Err(DefineError::LabelTaken { name: descriptor.name().to_owned(), label: label.to_owned() });
        }
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
