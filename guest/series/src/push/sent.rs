//! What has been sent: each series, when it started for the receiver, and whether that is known to have arrived.

use thiserror::Error;

use super::bodies::{Plan, Push};
use crate::labels::LabelTable;
use crate::registry::Registry;
use crate::view::{CellsView, FamilyView, Value};

/// The shortest time between two pushes, milliseconds: room for a 0 between them.
pub const SHORTEST_MILLIS: i64 = 3;

/// How long before its push a 0 can be, milliseconds. Prometheus and Mimir take what is at most an hour older than their
/// newest sample.
pub const OLDEST_ZERO_MILLIS: i64 = 30 * 60 * 1000;

/// What has been sent of a registry to one destination. It costs the memory of all label values and 60 bytes a series.
///
/// It belongs to its registry. A registry that is restored without it is sent with its 0s again, and the receiver counts
/// everything twice; where it is lost, the registry begins anew too. It is best saved after each push: a series that was
/// sent since it was saved last, and expires before it is sent again, gets no marker, and fades within five minutes.
///
/// The [`Labels`](super::Labels) of the bodies may change: a series that was sent goes on under the new ones without a 0,
/// since the receiver has counted under the old ones what it begins with. The old ones get no marker.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// The time of the last push that was begun, milliseconds since the Unix epoch; 0 where there was none.
    pub(super) last: i64,
    pub(super) families: Vec<SentFamily>,
}

/// The series of a family that were sent.
#[derive(Debug, Clone)]
pub(super) struct SentFamily {
    pub(super) name: String,
    /// A checksum of its labels' names; with others nothing is known of it.
    pub(super) label_names: u32,
    /// A checksum of what else makes the names of its series; with another one these are other series.
    pub(super) shape: u32,
    pub(super) labels: LabelTable,
    /// One for each row of `labels`.
    pub(super) entries: Vec<Entry>,
}

/// One series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    /// Its start in the registry, as bits: another one means that it began anew.
    pub(super) start: u64,
    /// Its start as the receiver is told, which is when its 0 was, milliseconds since the Unix epoch.
    pub(super) zero: i64,
    /// The time of the latest exemplar that was settled, milliseconds since the Unix epoch.
    pub(super) exemplars: i64,
    pub(super) standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// No body with it was settled: its 0 is due.
    New,
    /// The receiver has answered for it.
    Known,
    /// The registry has it no longer: its marker is due.
    Gone,
    /// Its marker was settled.
    Ended,
}

/// The series of a body, to settle it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesInBody {
    pub(super) push: i64,
    pub(super) series: Vec<InBody>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InBody {
    pub(super) family: u32,
    pub(super) entry: u32,
    /// The time of its latest exemplar.
    pub(super) exemplars: i64,
}

impl SeriesInBody {
    /// How many series of the registry there are in it; a histogram is one.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

/// Why no push can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BeginError {
    /// Receivers refuse what is not later than before.
    #[error(
        "a push at {now} ms is not at least {SHORTEST_MILLIS} ms after the last one, at {last} ms: the clock was set \
         back, or pushes are too close"
    )]
    NotLater {
        /// The time given.
        now: i64,
        /// That of the last push.
        last: i64,
    },
}

impl Sent {
    /// Begins a push of all that `registry` shows, with the time `now`, milliseconds since the Unix epoch. Bodies of
    /// earlier pushes can no longer be settled.
    ///
    /// # Errors
    /// Where `now` is too early; then nothing has changed.
    pub fn begin<'a>(&'a mut self, registry: &'a Registry, now: i64) -> Result<Push<'a>, BeginError> {
        let before = self.advance(now)?;
        let zeros = Zeros { after: before, oldest: now - OLDEST_ZERO_MILLIS, latest: now - 1 };
        let overflow = registry.overflow_family();
        let mut plans = Vec::new();
        let views = registry.families().chain([FamilyView::of_counters(&overflow, registry.page())]);
        let mut families = std::mem::take(&mut self.families);
        for (at, view) in views.enumerate() {
            let earlier = families.iter().position(|family| family.name == view.descriptor.name());
            let family = earlier.map_or_else(|| SentFamily::new(&view), |at| families.swap_remove(at));
            let family = if family.is_of(&view) { family } else { family.renamed(&view) };
            let (family, plan) = family.meet(&view, zeros, at);
            self.families.push(family);
            plans.push(plan);
        }
        Ok(Push::new(registry, overflow, self, plans))
    }

    /// Begins the last push: a stale marker for every series that was sent, at the time `now`. The series stay known, so
    /// that one who restores this goes on with them and does not begin at 0.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_end<'a>(&'a mut self, registry: &'a Registry, now: i64) -> Result<Push<'a>, BeginError> {
        self.advance(now)?;
        let overflow = registry.overflow_family();
        let plans = registry
            .families()
            .chain([FamilyView::of_counters(&overflow, registry.page())])
            .map(|view| {
                self.families
                    .iter()
                    .position(|family| family.is_of(&view))
                    .map_or_else(Plan::default, |at| self.families[at].end(at))
            })
            .collect();
        Ok(Push::new(registry, overflow, self, plans))
    }

    /// Says that the receiver has answered for a body: it took it, or it refused it for good. Without effect where
    /// another push began since.
    pub fn settle(&mut self, body: &SeriesInBody) {
        if body.push != self.last {
            return;
        }
        for InBody { family, entry, exemplars } in &body.series {
            let entry = &mut self.families[*family as usize].entries[*entry as usize];
            entry.exemplars = entry.exemplars.max(*exemplars);
            entry.standing = match entry.standing {
                Standing::New | Standing::Known => Standing::Known,
                Standing::Gone | Standing::Ended => Standing::Ended,
            };
        }
    }

    /// The time of the last push that was begun, milliseconds since the Unix epoch; 0 where there was none.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Takes the time of a push, and gives that of the push before.
    fn advance(&mut self, now: i64) -> Result<i64, BeginError> {
        if now < self.last.saturating_add(SHORTEST_MILLIS) {
            return Err(BeginError::NotLater { now, last: self.last });
        }
        Ok(std::mem::replace(&mut self.last, now))
    }
}

/// Which times the 0 of a new series can have.
#[derive(Clone, Copy)]
struct Zeros {
    /// That of the push before.
    after: i64,
    oldest: i64,
    latest: i64,
}

impl Zeros {
    /// For a series that started then, if that is known.
    fn of(self, start: Option<f64>) -> i64 {
        start.map_or(self.latest, millis).clamp(self.oldest.max(self.after + 1), self.latest)
    }
}

/// Seconds since the Unix epoch as milliseconds.
pub(super) fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

impl Entry {
    /// Compares itself with how the series would be sent if it were new.
    fn meet(&mut self, new: Self, oldest_zero: i64) {
        if self.start != new.start || self.standing == Standing::Gone {
            *self = Self { exemplars: self.exemplars, ..new };
        }
        if self.standing == Standing::New {
            self.zero = self.zero.max(oldest_zero);
        }
    }
}

impl SentFamily {
    fn new(view: &FamilyView<'_>) -> Self {
        Self {
            name: view.descriptor.name().to_owned(),
            label_names: label_names(view),
            shape: shape(view),
            labels: LabelTable::new(view.labels.width()),
            entries: Vec::new(),
        }
    }

    /// Whether its series are those that the family has now.
    fn is_of(&self, view: &FamilyView<'_>) -> bool {
        self.name == view.descriptor.name() && self.labels.width() == view.labels.width() && self.shape == shape(view)
    }

    /// What is known of the family as it is now: of series under other names that they were sent, and no markers.
    fn renamed(mut self, view: &FamilyView<'_>) -> Self {
        let new = Self::new(view);
        if self.labels.width() != new.labels.width() || self.label_names != new.label_names {
            return new;
        }
        for entry in self.entries.iter_mut().filter(|entry| entry.standing == Standing::Gone) {
            entry.standing = Standing::Ended;
        }
        Self { shape: new.shape, ..self }
    }

    /// Compares itself with what the registry shows, and takes note of what is new and what is gone. `at` is its place.
    fn meet(mut self, view: &FamilyView<'_>, zeros: Zeros, at: usize) -> (Self, Plan) {
        self.forget_ended();
        let mut seen = vec![false; self.entries.len()];
        let rows = (0..view.labels.len()).map(|row| {
            if matches!(view.value(row), Value::Gauge(value) if value.is_nan()) {
                return Plan::SILENT;
            }
            let start = view.starts[row as usize].to_bits();
            let new = Entry { start, zero: zeros.of(view.start(row)), exemplars: i64::MIN, standing: Standing::New };
            let Some(entry) = self.labels.find(&view.labels.row(row)) else {
                self.entries.push(new);
                return self.labels.insert(view.labels.row(row));
            };
            seen[entry as usize] = true;
            self.entries[entry as usize].meet(new, zeros.oldest);
            entry
        });
        let rows = rows.collect();
        // Those that are new now are beyond the end of `seen`.
        let unseen = self.entries.iter_mut().zip(&seen).filter(|(_, seen)| !**seen);
        unseen.for_each(|(entry, _)| entry.standing = Standing::Gone);
        let markers = (0_u32..).zip(&seen).filter(|(_, seen)| !**seen).map(|(entry, _)| entry).collect();
        (self, Plan { sent: at, rows, markers })
    }

    /// Markers for all.
    fn end(&self, at: usize) -> Plan {
        let lasting = (0_u32..).zip(&self.entries).filter(|(_, entry)| entry.standing != Standing::Ended);
        Plan { sent: at, rows: Vec::new(), markers: lasting.map(|(entry, _)| entry).collect() }
    }

    fn forget_ended(&mut self) {
        if self.entries.iter().all(|entry| entry.standing != Standing::Ended) {
            return;
        }
        let mut labels = LabelTable::new(self.labels.width());
        for (row, _) in (0..).zip(&self.entries).filter(|(_, entry)| entry.standing != Standing::Ended) {
            labels.insert(self.labels.row(row));
        }
        self.labels = labels;
        self.entries.retain(|entry| entry.standing != Standing::Ended);
    }
}

fn label_names(view: &FamilyView<'_>) -> u32 {
    checksum(view.descriptor.label_names()).finalize()
}

/// A checksum of the kind of a family, the labels that all series have, and the buckets that are sent.
fn shape(view: &FamilyView<'_>) -> u32 {
    let constants = view.constants().flat_map(|(name, value)| [name, value]);
    let mut hasher = checksum([view.kind()].into_iter().chain(constants));
    if let CellsView::Histograms(histograms) = view.cells {
        hasher.update(&[u8::from(histograms.form.has_native()), u8::from(histograms.form.shows_classic())]);
        histograms.buckets.bounds().iter().for_each(|bound| hasher.update(&bound.to_le_bytes()));
    }
    hasher.finalize()
}

fn checksum<'a>(texts: impl Iterator<Item = &'a str>) -> crc32fast::Hasher {
    let mut hasher = crc32fast::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u32).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher
}
