//! What a row of snapshots says: whether the process gets on, and whether it is ready.
//!
//! A backend that is away makes nothing unhealthy: its publisher waits, and so do its records. Unhealthy is a publisher
//! that does not get on for a reason of this side. Those are of two kinds: the *sick* (its plugin breaks again and again, or it
//! has halted), whom a restart would not heal and for whom the others should not be stopped, and the *stuck*, of whom
//! nothing comes any more though every call has its limit: only a restart helps.

use std::collections::BTreeMap;

use super::snapshot::{CountsView, PublisherView, Snapshot, Stage, State};

/// So many instances lost without a record delivered in between are no accident.
const FAULTS: u64 = 3;

/// What is wrong with a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub publisher: String,
    /// What is wrong, in a sentence.
    pub what: String,
    /// Only a restart helps.
    pub is_stuck: bool,
}

/// Remembers from snapshot to snapshot when each publisher last did something.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    state: State,
    counts: CountsView,
    lag_records: u64,
    /// When one of these changed.
    moved: f64,
    /// Lost instances when a record was delivered for the last time, or none waited.
    faults: u64,
}

impl Watch {
    /// What is wrong now.
    pub fn judge(&mut self, snapshot: &Snapshot) -> Vec<Finding> {
        self.seen.retain(|name, _| snapshot.publishers.iter().any(|publisher| publisher.name == *name));
        let judged = snapshot.publishers.iter().filter_map(|publisher| self.judge_one(publisher, snapshot.now));
        // Opening a long queue takes as long as it takes.
        judged.filter(|finding| !finding.is_stuck || snapshot.stage != Stage::Starting).collect()
    }

    fn judge_one(&mut self, view: &PublisherView, now: f64) -> Option<Finding> {
        let fresh = Seen { moved: now, faults: view.counts.faults, ..Seen::default() };
        let seen = self.seen.entry(view.name.clone()).or_insert(fresh);
        seen.follow(view, now);
        let finding = |what: String, is_stuck| Some(Finding { publisher: view.name.clone(), what, is_stuck });
        let last = view.last_error.as_ref().map(|error| error.reason.as_str());
        let reason = view.reason.as_deref().or(last).unwrap_or("nothing is known of the reason");
        if view.state == State::Halted {
            return finding(format!("has halted: {reason}"), false);
        }
        let faults = view.counts.faults.saturating_sub(seen.faults);
        if faults >= FAULTS {
            return finding(format!("its plugin broke {faults} times without getting on: {reason}"), false);
        }
        let quiet = now - seen.moved.max(view.next_try.unwrap_or(0.0));
        let must_move = view.lag_records > 0 || view.state == State::Opening;
        if view.state != State::Done && must_move && quiet > view.patience.as_secs_f64() {
            return finding(format!("has done nothing for {quiet:.0} s while records wait for it"), true);
        }
        None
    }
}

impl Seen {
    fn follow(&mut self, view: &PublisherView, now: f64) {
        let counts = view.counts;
        // Records that arrive where none waited are the beginning of its work.
        let begins = self.lag_records == 0 && view.lag_records > 0;
        if self.counts != counts || self.state != view.state || begins {
            self.moved = now;
        }
        // A record that is rejected since the plugin breaks over it is no success.
        let at_rest = view.state == State::Running && view.lag_records == 0;
        if counts.accepted != self.counts.accepted || at_rest {
            self.faults = counts.faults;
        }
        (self.state, self.counts, self.lag_records) = (view.state, counts, view.lag_records);
    }
}

/// Why it is not ready: nothing where it is.
pub fn unready(snapshot: &Snapshot) -> Vec<String> {
    let mut reasons = Vec::new();
    match snapshot.stage {
        Stage::Starting => reasons.push("metricast is starting".to_owned()),
        Stage::Draining => reasons.push("metricast is stopping".to_owned()),
        Stage::Running => {}
    }
    for view in snapshot.publishers.iter().filter(|view| !view.caught_up) {
        let (name, state) = (&view.name, view.state.name());
        let reason = view.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        reasons.push(format!("publisher {name} has not caught up with the queue, it is {state}{reason}"));
    }
    reasons
}

/// Whether the start is over: records are taken, and whoever is not ready waits for somebody else.
pub fn has_started(snapshot: &Snapshot) -> bool {
    let busy = |view: &PublisherView| !view.caught_up && matches!(view.state, State::Opening | State::Running);
    snapshot.stage != Stage::Starting && !snapshot.publishers.iter().any(busy)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn view(state: State) -> PublisherView {
        let reason = matches!(state, State::Waiting | State::Halted).then(|| "it is so".to_owned());
        let patience = Duration::from_mins(1);
        PublisherView { name: "p".into(), state, reason, lag_records: 5, patience, ..PublisherView::default() }
    }

    fn at(now: f64, view: &PublisherView) -> Snapshot {
        Snapshot { now, stage: Stage::Running, publishers: vec![view.clone()], ..Snapshot::default() }
    }

    #[test]
    fn a_backend_that_is_away_is_no_matter_of_health() {
        let mut watch = Watch::default();
        let mut waiting = view(State::Waiting);
        for now in [0.0, 30.0, 59.0, 3_600.0] {
            waiting.next_try = Some(now + 30.0);
            waiting.counts.retried += 5;
            assert_eq!(watch.judge(&at(now, &waiting)), [], "{now}");
        }
    }

    #[test]
    fn who_does_nothing_while_records_wait_is_stuck_until_something_moves() {
        let mut watch = Watch::default();
        let mut running = view(State::Running);
        assert_eq!(watch.judge(&at(0.0, &running)), []);
        assert_eq!(watch.judge(&at(60.0, &running)), []);
        let found = watch.judge(&at(61.0, &running));
        assert!(
            found[0].is_stuck && found[0].what == "has done nothing for 61 s while records wait for it",
            "{found:?}"
        );
        running.counts.accepted = 1;
        assert_eq!(watch.judge(&at(62.0, &running)), []);
        running.lag_records = 0;
        assert_eq!(watch.judge(&at(600.0, &running)), [], "nothing waits");
        running.lag_records = 1;
        assert_eq!(watch.judge(&at(601.0, &running)), [], "it has just come");
    }

    #[test]
    fn a_pause_that_was_announced_is_waited_for_and_no_more() {
        let mut watch = Watch::default();
        let mut waiting = view(State::Waiting);
        waiting.next_try = Some(500.0);
        assert_eq!(watch.judge(&at(0.0, &waiting)), []);
        assert_eq!(watch.judge(&at(559.0, &waiting)), []);
        assert!(watch.judge(&at(561.0, &waiting))[0].is_stuck);
    }

    #[test]
    fn who_breaks_again_and_again_is_named_and_not_stuck() {
        let mut watch = Watch::default();
        let mut waiting = view(State::Waiting);
        for faults in 0..3 {
            waiting.counts.faults = faults;
            assert_eq!(watch.judge(&at(faults as f64, &waiting)), [], "{faults}");
        }
        waiting.counts.faults = 3;
        let found = watch.judge(&at(3.0, &waiting));
        let what = "its plugin broke 3 times without getting on: it is so".to_owned();
        assert_eq!(found, [Finding { publisher: "p".into(), what, is_stuck: false }]);
        waiting.counts.accepted = 1;
        assert_eq!(watch.judge(&at(4.0, &waiting)), [], "it got on");
    }

    #[test]
    fn who_has_halted_is_sick() {
        let found = Watch::default().judge(&at(0.0, &view(State::Halted)));
        assert_eq!((found[0].what.as_str(), found[0].is_stuck), ("has halted: it is so", false));
    }

    #[test]
    fn nobody_is_stuck_before_the_queue_is_open() {
        let (mut watch, opening) = (Watch::default(), view(State::Opening));
        for (now, stage, stuck) in [(0.0, Stage::Starting, 0), (600.0, Stage::Starting, 0), (601.0, Stage::Running, 1)]
        {
            assert_eq!(watch.judge(&Snapshot { stage, ..at(now, &opening) }).len(), stuck, "{now}");
        }
    }

    #[test]
    fn ready_is_who_has_caught_up_and_takes_records() {
        let mut one = view(State::Running);
        let not_yet = "publisher p has not caught up with the queue, it is running";
        assert_eq!(unready(&at(0.0, &one)), [not_yet]);
        assert!(!has_started(&at(0.0, &one)));
        one.caught_up = true;
        assert!(unready(&at(0.0, &one)).is_empty() && has_started(&at(0.0, &one)));
        for (stage, told) in [(Stage::Starting, "metricast is starting"), (Stage::Draining, "metricast is stopping")] {
            assert_eq!(unready(&Snapshot { stage, ..at(0.0, &one) }), [told]);
        }
    }

    #[test]
    fn a_backend_that_is_away_at_first_keeps_no_service_from_having_started() {
        let waiting = at(0.0, &view(State::Waiting));
        let told = "publisher p has not caught up with the queue, it is waiting: it is so";
        assert!(has_started(&waiting));
        assert_eq!(unready(&waiting), [told]);
    }
}
