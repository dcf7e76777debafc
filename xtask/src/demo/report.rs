//! A scrape as a person reads it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::exposition::Sample;
use super::totals::Totals;

/// How many events and operations are listed.
const ROWS: usize = 8;

/// Sums by one label.
#[derive(Default)]
struct Row {
    count: f64,
    failed: f64,
    seconds: f64,
    observed: f64,
    sent: f64,
    received: f64,
}

/// What came out, in a few short tables.
pub(super) fn report(samples: &[Sample]) -> String {
    let totals = Totals::of_samples(samples);
    let events: u64 = totals.events.values().sum();
    let mut text = format!("\n{} records came out:\n\n", grouped(events + totals.operations));
    for (status, count) in &totals.events {
        _ = writeln!(text, "  {:<24}{:>9}", format!("events {status}"), grouped(*count));
    }
    _ = writeln!(text, "  {:<24}{:>9}", "network operations", grouped(totals.operations));
    _ = writeln!(text, "  {:<24}{:>9}", "of these failed", grouped(totals.failed_operations));
    _ = writeln!(text, "  {:<24}{:>9}", "bytes sent", size(totals.sent as f64));
    _ = writeln!(text, "  {:<24}{:>9}", "bytes received", size(totals.received as f64));
    _ = writeln!(text, "\n  {:<24}{:>9}{:>9}{:>12}", "most frequent events", "count", "failed", "mean");
    for (name, row) in top(rows(samples, "event_name")) {
        let Row { count, failed, .. } = row;
        _ = writeln!(text, "  {name:<24}{:>9}{:>9}{:>12}", grouped(count as u64), grouped(failed as u64), mean(&row));
    }
    _ = writeln!(text, "\n  {:<24}{:>9}{:>9}{:>12}{:>12}", "network operations", "count", "failed", "sent", "received");
    for (name, row) in top(rows(samples, "operation")) {
        let (count, failed) = (grouped(row.count as u64), grouped(row.failed as u64));
        _ = writeln!(text, "  {name:<24}{count:>9}{failed:>9}{:>12}{:>12}", size(row.sent), size(row.received));
    }
    text
}

fn rows(samples: &[Sample], label: &str) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| !sample.label(label).is_empty()) {
        let row = rows.entry(sample.label(label).to_owned()).or_default();
        match sample.name.as_str() {
            "event_records_total" | "network_operations_total" => {
                row.count += sample.value;
                let failed = sample.label("status") == "failed" || sample.label("outcome") == "failure";
                row.failed += if failed { sample.value } else { 0.0 };
            }
            "event_duration_seconds_sum" => row.seconds += sample.value,
            "event_duration_seconds_count" => row.observed += sample.value,
            "network_bytes_total" if sample.label("direction") == "sent" => row.sent += sample.value,
            "network_bytes_total" => row.received += sample.value,
            _ => {}
        }
    }
    rows
}

fn top(rows: BTreeMap<String, Row>) -> Vec<(String, Row)> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(_, one), (_, other)| other.count.total_cmp(&one.count));
    rows.truncate(ROWS);
    rows
}

fn mean(row: &Row) -> String {
    if row.observed == 0.0 { "-".to_owned() } else { format!("{:.2} ms", row.seconds / row.observed * 1e3) }
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn size(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut scaled = bytes;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{scaled} B") } else { format!("{scaled:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::super::exposition::samples;
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 1023.0, 1536.0, 5.0 * 1024.0 * 1024.0].map(size), ["0 B", "1023 B", "1.5 KiB", "5.0 MiB"]);
    }

    #[test]
    fn the_report_sums_by_name() {
        let text = "event_records_total{event_name=\"Tick\",status=\"completed\"} 3\n\
                    event_records_total{event_name=\"Tick\",status=\"failed\"} 1\n\
                    event_duration_seconds_sum{event_name=\"Tick\"} 0.008\n\
                    event_duration_seconds_count{event_name=\"Tick\"} 4\n\
                    network_operations_total{operation=\"upload\",outcome=\"failure\"} 2\n\
                    network_bytes_total{operation=\"upload\",direction=\"sent\"} 2048\n";
        let report = report(&samples(text).unwrap());
        assert!(report.contains("6 records came out"), "{report}");
        let line = |start: &str| {
            let line = report.lines().find(|line| line.trim_start().starts_with(start)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(line("Tick"), ["Tick", "4", "1", "2.00", "ms"]);
        assert_eq!(line("upload"), ["upload", "2", "2", "2.0", "KiB", "0", "B"]);
    }
}
