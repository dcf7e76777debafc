//! With daily indices each day makes an index, and a cluster takes only so many: a broken clock must not fill it.
//!
//! A record's time is held against the moment at which it was taken in, so that it is judged alike however often it is
//! sent.

use metricast_sdk::time::rfc3339;
use metricast_sdk::{Batch, Tally};

use crate::units::Span;

/// How far a record's time may lie from when it was taken in.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) past: Span,
    pub(crate) future: Span,
}

impl Window {
    /// The records within, by their indexes; the others are rejected.
    pub(crate) fn rows(&self, batch: &Batch, tally: &mut Tally) -> Vec<u32> {
        let mut rows = Vec::with_capacity(batch.len());
        for (index, received) in (0..).zip(batch.received()) {
            let time = filed_under(batch, index as usize);
            let (bound, side, key) = if time < received - self.past.seconds() {
                (&self.past, "before", "max_past")
            } else if time > received + self.future.seconds() {
                (&self.future, "after", "max_future")
            } else {
                rows.push(index);
                continue;
            };
            let reason = format!(
                "its time, {}, is more than {} {side} it was taken in: no index is made for that day ({key})",
                rfc3339(time),
                bound.as_str()
            );
            tally.rejected(index, reason);
        }
        rows
    }
}

fn filed_under(batch: &Batch, index: usize) -> f64 {
    let (events, networks) = (batch.event_columns(), batch.network_columns());
    let (start, end) = match index.checked_sub(events.event_name.len()) {
        None => (events.start_time[index], events.end_time[index]),
        Some(row) => (networks.start_time[row], networks.end_time[row]),
    };
    if end.is_nan() { start } else { end }
}

#[cfg(test)]
mod tests {
    use metricast_records::{BatchBuilder, EventMetrics, MetricsRef};

    use super::*;

    #[test]
    fn times_far_from_their_arrival_are_rejected_by_themselves() {
        const DAY: f64 = 86_400.0;
        let now = 1000.0 * DAY;
        let mut builder = BatchBuilder::new();
        let mut push = |start_time, end_time| {
            let (event_name, status) = ("e".into(), "s".into());
            let event = EventMetrics { event_name, status, start_time, end_time, ..EventMetrics::default() };
            builder.push(&MetricsRef::Event(event.as_ref()), now).unwrap();
        };
        push(now - 90.0 * DAY, None);
        push(now - 90.0 * DAY - 1.0, None);
        push(0.0, Some(now));
        push(now, Some(now + 2.0 * DAY));
        push(now, Some(now + 2.0 * DAY + 1.0));
        let window = Window { past: Span::days(90), future: Span::days(2) };
        let (batch, mut tally) = (builder.finish(), Tally::default());
        assert_eq!(window.rows(&batch, &mut tally), [0, 2, 3]);
        let rejected = tally.answer(&batch).unwrap().rejected;
        let expected = [
            (
                1,
                "its time, 1972-06-28T23:59:59.000000Z, is more than 90d before it was taken in: no index is made for that day (max_past)",
            ),
            (
                4,
                "its time, 1972-09-29T00:00:01.000000Z, is more than 2d after it was taken in: no index is made for that day (max_future)",
            ),
        ];
        assert_eq!(rejected.iter().map(|it| (it.index, it.reason.as_str())).collect::<Vec<_>>(), expected);
    }
}
