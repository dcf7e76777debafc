//! Pushes, read by another library by the public definitions of their messages (`tests/data/`, from
//! <https://github.com/prometheus/prometheus> without its options for Go, and
//! <https://github.com/open-telemetry/opentelemetry-proto>).

mod decode;
mod model;
mod otlp;
mod remote_write;

use metricast_series::push::{Body, Format, Labels, Limits, Push, Sent};
use metricast_series::{
    Buckets, CounterFamily, Descriptor, Exemplar, GaugeFamily, HistogramFamily, HistogramForm, Registry, SeriesLimit,
};

/// When the tests begin, milliseconds since the Unix epoch.
const BEGIN: i64 = 1_795_400_000_000;

/// A registry with a family of each kind.
struct Metrics {
    registry: Registry,
    moved: CounterFamily,
    last: GaugeFamily,
    took: HistogramFamily,
}

impl Metrics {
    fn new(form: HistogramForm) -> Self {
        let mut families = Registry::builder(SeriesLimit::default());
        families.constant_label("region", "eu").expect("a label");
        let moved =
            Descriptor::new("moved_bytes", "Bytes.").unit("bytes").label("name").label("tenant").exemplars(true);
        let took = Descriptor::new("took_seconds", "Time.").unit("seconds").label("name").exemplars(true);
        let moved = families.counter(moved).expect("a family");
        let last = families.gauge(Descriptor::new("last", "")).expect("a family");
        let buckets = Buckets::new(&[0.5, 1.0]).expect("a layout");
        let took = families.histogram(took, buckets, form).expect("a family");
        Self { registry: families.build(), moved, last, took }
    }

    /// Says when series start from now on.
    fn at(&mut self, millis: i64) {
        self.registry.set_time(millis as f64 / 1000.0);
    }

    fn moved(&mut self, name: &str, bytes: u128) {
        let counter = self.registry.counter(self.moved, &[name, ""]);
        self.registry.add(counter, bytes, 1);
    }

    fn took(&mut self, name: &str, seconds: f64) {
        let histogram = self.registry.histogram(self.took, &[name]);
        self.registry.observe(histogram, seconds);
    }

    fn took_with_exemplar(&mut self, name: &str, seconds: f64, millis: i64, id: &str) {
        let time = millis as f64 / 1000.0;
        let histogram = self.registry.histogram(self.took, &[name]);
        let place = self.registry.observe_at(histogram, seconds, time).expect("one is due");
        self.registry.put_exemplar(place, time, Exemplar::new(&[("trace_id", id)], seconds, time));
        self.registry.touch_histogram(histogram);
    }

    fn labels(&self) -> Labels {
        Labels::new(&self.registry, [("job", "shop"), ("instance", "till-7"), ("zone", "")]).expect("labels")
    }
}

/// All bodies of a push that is settled at once.
fn bodies(metrics: &Metrics, sent: &mut Sent, now: i64, format: Format<'_>) -> Vec<Body> {
    let push = sent.begin(&metrics.registry, now).expect("it is later");
    let bodies = all(&push, format);
    for body in &bodies {
        sent.settle(&body.series);
    }
    bodies
}

fn all(push: &Push<'_>, format: Format<'_>) -> Vec<Body> {
    push.bodies(format, Limits::default()).collect()
}
