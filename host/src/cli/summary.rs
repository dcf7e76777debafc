//! What `publish` says at its end: a line for each publisher, why records were rejected or not delivered, and which
//! lines were refused.

use std::fmt;
use std::time::Duration;

use indicatif::{BinaryBytes, HumanCount};

use super::exit::Exit;
use super::progress::Pace;
use super::refused::Refused;
use super::table::Table;
use crate::delivery::{Phase, Reasons};
use crate::pipeline::Report;

/// Reasons that are told for one publisher.
const TOLD: usize = 10;

/// All that was read, and what became of it.
pub(super) struct Summary<'a> {
    pub(super) reports: &'a [Report],
    pub(super) refused: &'a Refused,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

impl Summary<'_> {
    pub(super) fn exit(&self) -> Exit {
        let rejected = self.reports.iter().any(|report| report.counts.rejected > 0);
        let undelivered = self.reports.iter().any(Report::fell_short);
        Exit::refused_if(rejected || self.refused.count() > 0).max(Exit::undelivered_if(undelivered))
    }

    fn publishers(&self) -> Table {
        let titles = [
            "publisher",
            "accepted",
            "rejected",
            "undelivered",
            "resent records",
            "bytes to plugin",
            "records a second",
        ];
        let mut table = Table::new(&titles);
        for Report { name, counts, undelivered, .. } in self.reports {
            let pace = Pace { records: counts.accepted, bytes: counts.bytes, took: self.took };
            let numbers = [counts.accepted, counts.rejected, *undelivered, counts.retried];
            let cells = numbers.map(|number| HumanCount(number).to_string());
            let ends = [BinaryBytes(counts.bytes).to_string(), HumanCount(pace.rate()).to_string()];
            table.row([name.clone()].into_iter().chain(cells).chain(ends));
        }
        table
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        writeln!(f, "{} lines, {}, in {seconds:.2} s", HumanCount(self.lines), BinaryBytes(self.bytes))?;
        self.publishers().fmt(f)?;
        self.reports.iter().try_for_each(|report| trouble(f, report))?;
        self.refused.fmt(f)
    }
}

fn trouble(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let Report { name, counts, rejections, surrenders, undelivered, .. } = report;
    let waiting = undelivered.saturating_sub(counts.given_up);
    if waiting > 0 {
        writeln!(f, "{name} has not delivered {}: {}", HumanCount(waiting), reason(report))?;
    } else if report.was_cut_short() {
        writeln!(f, "{name} was cut short: {}", reason(report))?;
    }
    tell_reasons(f, name, "gave up", surrenders)?;
    tell_reasons(f, name, "rejected", rejections)
}

fn tell_reasons(f: &mut fmt::Formatter<'_>, name: &str, did: &str, reasons: &Reasons) -> fmt::Result {
    let mut most: Vec<_> = reasons.by_reason.iter().collect();
    most.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (reason, (count, example)) in most.iter().take(TOLD) {
        writeln!(f, "{name} {did} {}: {reason}\n  as {example}", HumanCount(*count))?;
    }
    let more: u64 = most.iter().skip(TOLD).map(|(_, (count, _))| count).sum::<u64>() + reasons.others;
    if more > 0 {
        writeln!(f, "{name} {did} {} more for other reasons", HumanCount(more))?;
    }
    Ok(())
}

/// Why a publisher has not delivered everything.
pub(super) fn reason(report: &Report) -> &str {
    match &report.phase {
        Phase::Waiting { reason } | Phase::Halted { reason } => reason,
        _ => "it was not done in time",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::delivery::Counts;

    fn report(name: &str, rejected: u64, undelivered: u64) -> Report {
        let by_reason: BTreeMap<_, _> = (0..rejected).map(|n| (format!("reason {n}"), (1, "{}".to_owned()))).collect();
        Report {
            name: name.to_owned(),
            counts: Counts { accepted: 6_965, rejected, retried: 12, batches: 7, bytes: 3 << 20, ..Counts::default() },
            phase: match undelivered {
                0 => Phase::Done,
                _ => Phase::Waiting { reason: "the backend is away".to_owned() },
            },
            rejections: Reasons { by_reason, others: 0 },
            surrenders: Reasons::default(),
            undelivered,
        }
    }

    fn summary<'a>(reports: &'a [Report], refused: &'a Refused) -> Summary<'a> {
        Summary { reports, refused, lines: 6_966, bytes: 2 << 20, took: Duration::from_millis(500) }
    }

    #[test]
    fn each_publisher_has_a_line_and_what_went_wrong_is_told() {
        let mut refused = Refused::default();
        refused.add("app.ndjson", 7, "not JSON", b"x").unwrap();
        let told = summary(&[report("search", 0, 0), report("scrape", 1, 3)], &refused).to_string();
        let wanted = "\
6,966 lines, 2.00 MiB, in 0.50 s
publisher  accepted  rejected  undelivered  resent records  bytes to plugin  records a second
search        6,965         0            0              12         3.00 MiB            13,930
scrape        6,965         1            3              12         3.00 MiB            13,930
scrape has not delivered 3: the backend is away
scrape rejected 1: reason 0
  as {}
refused: 1
  app.ndjson:7: not JSON
";
        assert_eq!(told, wanted);
    }

    #[test]
    fn an_end_that_went_wrong_is_told_where_all_records_have_an_answer() {
        let phase = Phase::Halted { reason: "the last of it could not be sent".to_owned() };
        let reports = [Report { phase, ..report("cloud", 0, 0) }];
        let none = Refused::default();
        let summary = summary(&reports, &none);
        assert!(summary.to_string().ends_with("cloud was cut short: the last of it could not be sent\n"), "{summary}");
        assert_eq!(summary.exit(), Exit::Undelivered);
    }

    #[test]
    fn many_reasons_are_cut_short() {
        let told = summary(&[report("search", 30, 0)], &Refused::default()).to_string();
        assert!(told.ends_with("search rejected 20 more for other reasons\n"), "{told}");
    }

    #[test]
    fn the_worst_decides_the_exit() {
        let none = Refused::default();
        assert_eq!(summary(&[report("a", 0, 0)], &none).exit(), Exit::Clean);
        assert_eq!(summary(&[report("a", 1, 0)], &none).exit(), Exit::Refused);
        assert_eq!(summary(&[report("a", 1, 0), report("b", 0, 1)], &none).exit(), Exit::Undelivered);
    }
}
