//! Looks at the board each second: judges health, logs who holds the queue, and tells the service manager.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::board::Board;
use super::health::{Finding, Watch, has_started};
use super::snapshot::{PublisherView, Snapshot, State};
use super::systemd::{Manager, Told};

/// How often it looks, at the least.
const PERIOD: Duration = Duration::from_secs(1);
/// A judgement as old as this means that nothing gets on here.
const STALE: Duration = Duration::from_secs(15);

/// The newest judgement. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Judgement(Arc<Mutex<(Instant, Vec<Finding>)>>);

impl Judgement {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new((Instant::now(), Vec::new()))))
    }

    /// What is wrong, publisher by publisher.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, findings) = &*held;
        if at.elapsed() < STALE {
            return findings.clone();
        }
        let what = format!("nothing was judged for {} s: its threads are blocked", at.elapsed().as_secs());
        vec![Finding { publisher: "metricast".to_owned(), what, is_stuck: true }]
    }

    fn set(&self, findings: Vec<Finding>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), findings);
    }
}

/// Goes on until it is aborted.
pub(super) async fn run(board: Board, judgement: Judgement) {
    let (mut manager, sign_of_life) = Manager::find();
    let period = sign_of_life.unwrap_or(PERIOD).min(PERIOD);
    let (mut watch, mut holders, mut wrong) = (Watch::default(), Vec::new(), Vec::new());
    loop {
        let snapshot = board.snapshot();
        let findings = watch.judge(&snapshot);
        log_holders(&snapshot, &mut holders);
        log_findings(&findings, &mut wrong);
        manager.tell(&Told {
            stage: snapshot.stage,
            has_started: has_started(&snapshot),
            gets_on: !findings.iter().any(|finding| finding.is_stuck),
            status: &in_a_line(&snapshot, &findings),
        });
        judgement.set(findings);
        // Looking earlier is what waiting is ended for.
        let _ = timeout(period, board.changed()).await;
    }
}

fn in_a_line(snapshot: &Snapshot, findings: &[Finding]) -> String {
    match findings {
        [] => {
            let is_told = |view: &&PublisherView| !matches!(view.state, State::Running | State::Done);
            let others = snapshot.publishers.iter().filter(is_told);
            let told = others.map(|view| format!("{} is {}", view.name, view.state.name()));
            let told: Vec<_> = std::iter::once(snapshot.stage.name().to_owned()).chain(told).collect();
            told.join(", ")
        }
        [finding, ..] => format!("publisher {} {}", finding.publisher, finding.what.replace('\n', " ")),
    }
}

fn log_holders(snapshot: &Snapshot, known: &mut Vec<String>) {
    let holders = snapshot.queue.as_ref().map(|queue| queue.held_by.clone()).unwrap_or_default();
    if *known == holders {
        return;
    }
    for name in holders.iter().filter(|name| !known.contains(name)) {
        let view = snapshot.publishers.iter().find(|view| view.name == **name);
        let (lag, reason) = view.map_or((0, "no config names it any more"), |view| {
            (view.lag_records, view.reason.as_deref().unwrap_or("it is slower than the senders"))
        });
        tracing::warn!(publisher = name, lag, "the queue is full, and this publisher holds it: {reason}");
    }
    if holders.is_empty() {
        tracing::info!("the queue has room again");
    }
    *known = holders;
}

fn log_findings(findings: &[Finding], known: &mut Vec<String>) {
    let names: Vec<String> = findings.iter().map(|finding| finding.publisher.clone()).collect();
    for finding in findings.iter().filter(|finding| !known.contains(&finding.publisher)) {
        tracing::error!(publisher = finding.publisher, "unhealthy: {}", finding.what);
    }
    *known = names;
}
