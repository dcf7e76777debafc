//! What a flush or a close did not bring to a backend, in numbers and reasons.

use std::collections::BTreeMap;
use std::fmt;

use crate::delivery::{Phase, Reasons};
use crate::pipeline::Report;

/// Reasons that are told of one publisher at a time.
const TOLD: usize = 20;

/// What was not delivered: an entry for each publisher that fell short.
///
/// Records that still wait are told by every flush; those that were rejected, given up or missed are told once.
///
/// ```
/// use std::time::Duration;
///
/// use metricast::{ElasticsearchPublisher, EventMetrics, MetricsPublisher};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Nobody listens there.
/// let publisher = ElasticsearchPublisher::new(["http://127.0.0.1:1"], "shop");
/// let event = EventMetrics {
///     event_name: "Pay".into(),
///     start_time: 1_795_368_571.5,
///     status: "running".into(),
///     ..EventMetrics::default()
/// };
/// publisher.publish_event_metrics(&event).await?;
/// let undelivered = publisher.close(Duration::from_millis(200)).await.unwrap_err();
/// assert_eq!(undelivered.records(), 1);
/// assert_eq!(undelivered.publishers[0].waiting, 1);
/// assert!(undelivered.to_string().starts_with("elasticsearch: 1 not delivered"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Undelivered {
    /// Those that fell short.
    pub publishers: Vec<Shortfall>,
    /// Records that a [`Recorder`](crate::Recorder) could not hand over since the last report: its queue was full.
    pub unqueued: u64,
    /// Spans that a [`MetricsLayer`](crate::MetricsLayer) took since the last report and that are no valid records: how
    /// many, and what was wrong with the first, whose event name is the example.
    pub invalid: Option<Reason>,
}

/// What never came to a queue since the last time of asking.
#[derive(Debug, Default)]
pub(super) struct Untaken {
    pub(super) unqueued: u64,
    pub(super) invalid: Option<Reason>,
}

/// What one publisher did not deliver.
///
/// ```
/// use metricast::{Reason, Shortfall, Undelivered};
///
/// let mapping = Reason { count: 2, text: "a field of another type".into(), example: "{…}".into() };
/// let search = Shortfall { publisher: "search".into(), rejected: 2, reasons: vec![mapping], ..Shortfall::default() };
/// assert_eq!(search.records(), 2);
/// let undelivered = Undelivered { publishers: vec![search], ..Undelivered::default() };
/// assert_eq!(undelivered.to_string(), "search: 2 rejected (2: a field of another type, as {…})");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Its name.
    pub publisher: String,
    /// Records without an answer: after a flush they go on to be tried, after a close they are lost.
    pub waiting: u64,
    /// What they wait for, where that is known.
    pub why: Option<String>,
    /// Records that the backend will never take.
    pub rejected: u64,
    /// Records that became older than `give_up_after`.
    pub given_up: u64,
    /// Records that a failing leg of a composite was not given, since its queue was full and others' were not.
    pub missed: u64,
    /// Why, the commonest first; at most 20.
    pub reasons: Vec<Reason>,
}

/// Why records were rejected or given up.
///
/// ```
/// let reason = metricast::Reason { count: 3, text: "too old".into(), example: "{…}".into() };
/// assert_eq!(reason.to_string(), "3: too old, as {…}");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    /// How many records.
    pub count: u64,
    /// The backend's own words, or the publisher's.
    pub text: String,
    /// The first record that it was, as its dictionary, cut at 2 KiB.
    pub example: String,
}

impl Undelivered {
    /// How many records in all; one that two publishers did not deliver counts twice.
    ///
    /// ```
    /// use metricast::{Shortfall, Undelivered};
    ///
    /// let search = Shortfall { waiting: 3, ..Shortfall::default() };
    /// let undelivered = Undelivered { publishers: vec![search], unqueued: 2, ..Undelivered::default() };
    /// assert_eq!(undelivered.records(), 5);
    /// ```
    pub fn records(&self) -> u64 {
        let invalid = self.invalid.as_ref().map_or(0, |invalid| invalid.count);
        self.publishers.iter().map(Shortfall::records).sum::<u64>() + self.unqueued + invalid
    }

    pub(super) fn of(publishers: impl IntoIterator<Item = Shortfall>, untaken: Untaken) -> Result<(), Self> {
        let publishers: Vec<_> =
            publishers.into_iter().filter(|publisher| publisher.records() > 0 || publisher.why.is_some()).collect();
        let Untaken { unqueued, invalid } = untaken;
        if publishers.is_empty() && unqueued == 0 && invalid.is_none() {
            return Ok(());
        }
        Err(Self { publishers, unqueued, invalid })
    }
}

impl Shortfall {
    /// How many records in all.
    ///
    /// ```
    /// let short = metricast::Shortfall { waiting: 3, missed: 1, ..metricast::Shortfall::default() };
    /// assert_eq!(short.records(), 4);
    /// ```
    pub fn records(&self) -> u64 {
        self.waiting + self.rejected + self.given_up + self.missed
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<_> = self.publishers.iter().map(Shortfall::to_string).collect();
        if self.unqueued > 0 {
            parts.push(format!("{} found the queue full", self.unqueued));
        }
        if let Some(Reason { count, text, example }) = &self.invalid {
            parts.push(format!("{count} spans are no records (the first is {example}: {text})"));
        }
        f.write_str(&parts.join("; "))
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.waiting, "not delivered"),
            (self.missed, "missed while it failed and its queue was full"),
            (self.rejected, "rejected"),
            (self.given_up, "given up"),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        let mut why: Vec<_> = self.why.clone().into_iter().collect();
        why.extend(self.reasons.iter().map(Reason::to_string));
        let what = counts.collect::<Vec<_>>().join(", ");
        let what = if what.is_empty() { "it came to no good end".to_owned() } else { what };
        write!(f, "{}: {what}", self.publisher)?;
        if why.is_empty() { Ok(()) } else { write!(f, " ({})", why.join("; ")) }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, text, example } = self;
        write!(f, "{count}: {text}")?;
        if example.is_empty() { Ok(()) } else { write!(f, ", as {example}") }
    }
}

/// What was told of one publisher before.
#[derive(Debug, Default)]
pub(super) struct Told {
    rejected: u64,
    given_up: u64,
    missed: u64,
    reasons: BTreeMap<String, u64>,
}

impl Told {
    /// What is new in a report; `waiting` are records that it has no answer for.
    pub(super) fn news(&mut self, report: &Report, waiting: u64, missed: u64) -> Shortfall {
        let mut reasons: Vec<_> =
            [&report.rejections, &report.surrenders].into_iter().flat_map(|all| self.new_of(all)).collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        reasons.truncate(TOLD);
        let since = |told: &mut u64, now: u64| now.saturating_sub(std::mem::replace(told, now));
        Shortfall {
            publisher: report.name.clone(),
            waiting,
            why: if waiting > 0 { Some(why(&report.phase)) } else { None },
            rejected: since(&mut self.rejected, report.counts.rejected),
            given_up: since(&mut self.given_up, report.counts.given_up),
            missed: since(&mut self.missed, missed),
            reasons,
        }
    }

    fn new_of(&mut self, reasons: &Reasons) -> Vec<Reason> {
        let mut new = Vec::new();
        for (text, (count, example)) in &reasons.by_reason {
            let told = self.reasons.entry(text.clone()).or_default();
            let since = count.saturating_sub(std::mem::replace(told, *count));
            if since > 0 {
                new.push(Reason { count: since, text: text.clone(), example: example.clone() });
            }
        }
        new
    }
}

fn why(phase: &Phase) -> String {
    match phase {
        Phase::Waiting { reason } | Phase::Halted { reason } => reason.clone(),
        Phase::Opening => "it is still being opened".to_owned(),
        Phase::Running | Phase::Done => "it was not done in time".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Counts;

    fn report(rejected: u64, given_up: u64) -> Report {
        let by_reason = BTreeMap::from([("no such field".to_owned(), (rejected, "{}".to_owned()))]);
        Report {
            name: "search".into(),
            counts: Counts { rejected, given_up, ..Counts::default() },
            phase: Phase::Waiting { reason: "the backend is away".into() },
            rejections: Reasons { by_reason, others: 0 },
            surrenders: Reasons::default(),
            undelivered: 0,
        }
    }

    #[test]
    fn what_is_over_is_told_once_and_what_waits_each_time() {
        let mut told = Told::default();
        let first = told.news(&report(2, 1), 5, 3);
        assert_eq!((first.waiting, first.rejected, first.given_up, first.missed, first.records()), (5, 2, 1, 3, 11));
        assert_eq!(first.reasons, [Reason { count: 2, text: "no such field".into(), example: "{}".into() }]);
        let second = told.news(&report(3, 1), 4, 3);
        assert_eq!((second.waiting, second.rejected, second.given_up, second.missed), (4, 1, 0, 0));
        assert_eq!(second.reasons[0].count, 1);
        let third = told.news(&report(3, 1), 0, 3);
        assert_eq!(Undelivered::of([third], Untaken::default()), Ok(()));
    }

    #[test]
    fn it_reads_as_a_sentence() {
        let news = Told::default().news(&report(2, 0), 5, 0);
        let invalid = Reason { count: 1, text: "attributes are 200: at most 128 fit".into(), example: "Pay".into() };
        let untaken = Untaken { unqueued: 7, invalid: Some(invalid) };
        let undelivered = Undelivered::of([news], untaken).unwrap_err();
        assert_eq!(
            undelivered.to_string(),
            "search: 5 not delivered, 2 rejected (the backend is away; 2: no such field, as {}); 7 found the queue full; \
             1 spans are no records (the first is Pay: attributes are 200: at most 128 fit)"
        );
        assert_eq!(undelivered.records(), 15);
    }
}
