//! A push cut into bodies that each stand by themselves.

use super::labels::Labels;
use super::point::{Point, Reading};
use super::sent::{InBody, Sent, SeriesInBody, Standing};
use crate::family::Family;
use crate::otlp::{self, Resource};
use crate::registry::Registry;
use crate::remote_write;
use crate::view::{FamilyView, Value};

/// What is sent of a registry at one time.
#[derive(Debug)]
pub struct Push<'a> {
    registry: &'a Registry,
    overflow: Family<Vec<u128>>,
    sent: &'a Sent,
    /// One for each family, that of overflows last.
    plans: Vec<Plan>,
}

/// Which series of a family are sent.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Its place in what was sent.
    pub(super) sent: usize,
    /// For each row of the registry its entry there, or [`SILENT`](Self::SILENT).
    pub(super) rows: Vec<u32>,
    /// The entries that a marker is due for.
    pub(super) markers: Vec<u32>,
}

impl Plan {
    /// The entry of a row that has nothing to say yet.
    pub(super) const SILENT: u32 = u32::MAX;
}

/// How a push is written.
#[derive(Debug, Clone, Copy)]
pub enum Format<'a> {
    /// Prometheus remote write 2.0, with labels of every series.
    RemoteWrite2(&'a Labels),
    /// Prometheus remote write 1.0, with labels of every series.
    RemoteWrite1(&'a Labels),
    /// OTLP metrics, with attributes of their resource.
    Otlp(&'a Resource),
}

impl<'a> Format<'a> {
    /// The `Content-Type` of its bodies.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::RemoteWrite2(_) => remote_write::CONTENT_TYPE_2,
            Self::RemoteWrite1(_) => remote_write::CONTENT_TYPE_1,
            Self::Otlp(_) => otlp::CONTENT_TYPE,
        }
    }

    /// The `Content-Encoding` of its bodies; none where they are not compressed.
    pub fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::RemoteWrite2(_) | Self::RemoteWrite1(_) => Some("snappy"),
            Self::Otlp(_) => None,
        }
    }

    /// The `X-Prometheus-Remote-Write-Version` that goes with its bodies.
    pub fn remote_write_version(self) -> Option<&'static str> {
        match self {
            Self::RemoteWrite2(_) => Some("2.0.0"),
            Self::RemoteWrite1(_) => Some("0.1.0"),
            Self::Otlp(_) => None,
        }
    }

    fn encoder(self) -> Box<dyn Encode + 'a> {
        match self {
            Self::RemoteWrite2(labels) => Box::new(remote_write::Encoder2::new(labels)),
            Self::RemoteWrite1(labels) => Box::new(remote_write::Encoder1::new(labels)),
            Self::Otlp(resource) => Box::new(otlp::Encoder::new(resource)),
        }
    }
}

/// Writes points into bodies.
pub(crate) trait Encode {
    /// Appends a point, and says how much it was.
    fn add(&mut self, point: &Point<'_>) -> Count;
    /// Takes the last point back; the body is finished then.
    fn take_back(&mut self);
    /// As many bytes as the body has, or a few more, before it is compressed.
    fn size(&self) -> usize;
    /// Gives the body and how many bytes it has before it is compressed, and begins another one.
    fn finish(&mut self) -> (Vec<u8>, usize);
}

/// How large a body may be. One series is never cut, so a body of one can be larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most samples; each bucket of a classic histogram is one in remote write, a data point is one in OTLP.
    pub samples: u64,
    /// The most bytes, before compression.
    pub bytes: usize,
}

impl Default for Limits {
    /// 10,000 samples and 1 MiB: well within what receivers take.
    fn default() -> Self {
        Self { samples: 10_000, bytes: 1 << 20 }
    }
}

/// What is in a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Samples that are floats; in OTLP all data points.
    pub samples: u64,
    /// Samples that are native histograms, in remote write.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.samples += other.samples;
        self.histograms += other.histograms;
        self.exemplars += other.exemplars;
    }
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// As it is sent: with snappy's compression for remote write, without any for OTLP.
    pub bytes: Vec<u8>,
    /// How many bytes it has without compression.
    pub size: usize,
    /// What is in it.
    pub count: Count,
    /// Whose samples are in it, to [settle](Sent::settle) it by.
    pub series: SeriesInBody,
}

impl<'a> Push<'a> {
    pub(super) fn new(registry: &'a Registry, overflow: Family<Vec<u128>>, sent: &'a Sent, plans: Vec<Plan>) -> Self {
        Self { registry, overflow, sent, plans }
    }

    /// The time of its samples, milliseconds since the Unix epoch.
    pub fn time(&self) -> i64 {
        self.sent.last
    }

    /// Its bodies, each made when it is asked for. Equal pushes give equal bodies.
    pub fn bodies<'b>(&'b self, format: Format<'b>, limits: Limits) -> Bodies<'b> {
        let overflow = FamilyView::of_counters(&self.overflow, self.registry.page());
        let views = self.registry.families().chain([overflow]).collect();
        Bodies { push: self, views, encoder: format.encoder(), limits, family: 0, at: 0 }
    }
}

/// The bodies of a push.
#[must_use = "bodies are made when they are asked for"]
pub struct Bodies<'a> {
    push: &'a Push<'a>,
    views: Vec<FamilyView<'a>>,
    encoder: Box<dyn Encode + 'a>,
    limits: Limits,
    /// What comes next: the family, and which of its rows and then markers.
    family: usize,
    at: usize,
}

impl Iterator for Bodies<'_> {
    type Item = Body;

    fn next(&mut self) -> Option<Body> {
        let (mut count, mut series) = (Count::default(), Vec::new());
        while let Some((point, entry)) = self.peek() {
            let mut with = count;
            with += self.encoder.add(&point);
            let full = with.samples + with.histograms > self.limits.samples || self.encoder.size() > self.limits.bytes;
            if full && !series.is_empty() {
                self.encoder.take_back();
                break;
            }
            count = with;
            series.push(InBody { exemplars: point.latest_exemplar(), ..entry });
            self.at += 1;
        }
        if series.is_empty() {
            return None;
        }
        let series = SeriesInBody { push: self.push.time(), series };
        let (bytes, size) = self.encoder.finish();
        Some(Body { bytes, size, count, series })
    }
}

impl<'a> Bodies<'a> {
    /// The next point, if there is one.
    fn peek(&mut self) -> Option<(Point<'a>, InBody)> {
        loop {
            let plan = self.push.plans.get(self.family)?;
            let (point, entry) = match (plan.rows.get(self.at), plan.markers.get(self.at.wrapping_sub(plan.rows.len())))
            {
                (Some(&Plan::SILENT), _) => {
                    self.at += 1;
                    continue;
                }
                (Some(entry), _) => (self.live(plan, *entry), *entry),
                (None, Some(entry)) => (self.marker(plan, *entry), *entry),
                (None, None) => {
                    (self.family, self.at) = (self.family + 1, 0);
                    continue;
                }
            };
            return Some((point, InBody { family: plan.sent as u32, entry, exemplars: i64::MIN }));
        }
    }

    fn live(&self, plan: &Plan, entry: u32) -> Point<'a> {
        let (view, row) = (self.views[self.family], self.at as u32);
        let entry = self.push.sent.families[plan.sent].entries[entry as usize];
        let value = view.value(row);
        let counted = match &value {
            Value::Counter(count) => Some(*count > 0),
            Value::Histogram(histogram) => Some(histogram.counts.iter().any(|count| *count > 0)),
            Value::Gauge(_) => None,
        };
        Point {
            view,
            family: self.family,
            row,
            reading: Reading::Value(value),
            time: self.push.time(),
            zero: (counted == Some(true) && entry.standing == Standing::New).then_some(entry.zero),
            start: counted.map(|_| entry.zero),
            exemplars: entry.exemplars,
        }
    }

    fn marker(&self, plan: &Plan, entry: u32) -> Point<'a> {
        let sent = &self.push.sent.families[plan.sent];
        Point {
            view: self.views[self.family].labelled(&sent.labels),
            family: self.family,
            row: entry,
            reading: Reading::Stale,
            time: self.push.time(),
            zero: None,
            start: None,
            exemplars: i64::MIN,
        }
    }
}
