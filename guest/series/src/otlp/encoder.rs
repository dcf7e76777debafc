//! Bodies of OTLP: data points gathered to metrics.

use super::points;
use super::resource::Resource;
use crate::push::{Count, Encode, Point};
use crate::view::{CellsView, FamilyView};
use crate::wire;

const CUMULATIVE: u64 = 2;

/// More than the tags and lengths around a metric's parts, or around all metrics.
const AROUND: usize = 24;

/// A body that is being written.
pub(crate) struct Encoder<'a> {
    resource: &'a Resource,
    /// Those that are whole.
    metrics: Vec<u8>,
    open: Option<Open>,
}

/// The metrics of the family whose points come in.
struct Open {
    family: usize,
    /// What stands before the data, without the field of the data.
    head: Vec<u8>,
    kind: Kind,
    /// Data points of numbers, or of classic buckets.
    points: Vec<u8>,
    /// Data points of native buckets.
    exponential: Vec<u8>,
    /// Lengths of both before the last point.
    mark: (usize, usize),
}

#[derive(Clone, Copy)]
enum Kind {
    Sum,
    Gauge,
    Histogram,
}

impl Open {
    fn new(family: usize, view: &FamilyView<'_>) -> Self {
        let (kind, suffix) = match view.cells {
            CellsView::Counters(_) => (Kind::Sum, "_total"),
            CellsView::Gauges(_) => (Kind::Gauge, ""),
            CellsView::Histograms(_) => (Kind::Histogram, ""),
        };
        let mut head = Vec::new();
        wire::text(1, &[view.descriptor.name(), suffix].concat(), &mut head);
        wire::text(2, view.descriptor.help(), &mut head);
        wire::text(3, ucum(view.descriptor.unit_name()), &mut head);
        Self { family, head, kind, points: Vec::new(), exponential: Vec::new(), mark: (0, 0) }
    }

    fn close(self, out: &mut Vec<u8>) {
        let Self { head, kind, points, exponential, .. } = self;
        let field = match kind {
            Kind::Gauge => 5,
            Kind::Sum => 7,
            Kind::Histogram => 9,
        };
        metric(&head, field, &points, out);
        metric(&head, 10, &exponential, out);
    }
}

/// Appends a metric that has data points.
fn metric(head: &[u8], field: u16, points: &[u8], out: &mut Vec<u8>) {
    if points.is_empty() {
        return;
    }
    wire::nested(2, out, |out| {
        out.extend_from_slice(head);
        wire::nested(field, out, |out| {
            out.extend_from_slice(points);
            // A gauge has neither.
            if field != 5 {
                wire::unsigned(2, CUMULATIVE, out);
            }
            if field == 7 {
                wire::unsigned(3, 1, out);
            }
        });
    });
}

/// The UCUM code of a unit (<https://ucum.org/ucum>), as far as receivers turn it back into the same unit's name.
fn ucum(unit: &str) -> &str {
    match unit {
        "seconds" => "s",
        "bytes" => "By",
        other => other,
    }
}

impl<'a> Encoder<'a> {
    pub(crate) fn new(resource: &'a Resource) -> Self {
        Self { resource, metrics: Vec::new(), open: None }
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            open.close(&mut self.metrics);
        }
    }
}

impl Encode for Encoder<'_> {
    fn add(&mut self, point: &Point<'_>) -> Count {
        if self.open.as_ref().is_none_or(|open| open.family != point.family) {
            self.close();
        }
        let open = self.open.get_or_insert_with(|| Open::new(point.family, &point.view));
        open.mark = (open.points.len(), open.exponential.len());
        points::write(point, &mut open.points, &mut open.exponential)
    }

    fn take_back(&mut self) {
        if let Some(Open { points, exponential, mark, .. }) = &mut self.open {
            points.truncate(mark.0);
            exponential.truncate(mark.1);
        }
    }

    fn size(&self) -> usize {
        let open = |open: &Open| open.points.len() + open.exponential.len() + 2 * (open.head.len() + AROUND);
        let resource = self.resource.resource.len() + self.resource.scope.len();
        resource + AROUND + self.metrics.len() + self.open.as_ref().map_or(0, open)
    }

    fn finish(&mut self) -> (Vec<u8>, usize) {
        self.close();
        let mut body = Vec::with_capacity(self.size() + 16);
        wire::nested(1, &mut body, |out| {
            out.extend_from_slice(&self.resource.resource);
            wire::nested(2, out, |out| {
                out.extend_from_slice(&self.resource.scope);
                out.append(&mut self.metrics);
            });
        });
        let size = body.len();
        (body, size)
    }
}
