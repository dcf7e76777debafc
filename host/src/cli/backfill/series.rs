//! Expositions of several times as one: each family once, in it each metric once, in it the samples in the order of
//! time, as OpenMetrics wants it.
//!
//! A value is kept where it changes. What counts up from nothing stands at 0 one step before it is first seen: else its
//! first value would be invisible to `increase()`.

use std::collections::HashMap;
use std::io::{self, Write};

use anyhow::Context as _;

/// Families in the order in which they were met.
#[derive(Default)]
pub(super) struct Series {
    families: Vec<Family>,
    by_name: HashMap<String, usize>,
    /// Of each sample's name with its labels: family, metric, line.
    places: HashMap<String, (usize, usize, usize)>,
    scrapes: u64,
}

#[derive(Default)]
struct Family {
    /// `# TYPE` and what else begins with `#`.
    head: Vec<String>,
    counts: bool,
    metrics: Vec<Metric>,
    /// By labels, `le` left out.
    by_labels: HashMap<String, usize>,
}

#[derive(Default)]
struct Metric {
    lines: Vec<Line>,
}

struct Line {
    /// Name and labels.
    key: String,
    /// From a step on; none where it is gone.
    changes: Vec<(i64, Option<f64>)>,
    /// The last scrape that had it.
    seen: u64,
}

impl Line {
    fn set(&mut self, step: i64, value: f64, from_zero: bool) {
        let before = self.changes.last();
        if before.is_some_and(|(_, before)| before.is_some_and(|before| before.to_bits() == value.to_bits())) {
            return;
        }
        // It is new, or here again after a time without it.
        if from_zero && before.is_none_or(|(gone, value)| value.is_none() && *gone < step - 1) {
            self.changes.push((step - 1, Some(0.0)));
        }
        self.changes.push((step, Some(value)));
    }
}

impl Series {
    /// Takes the exposition of a step; steps ascend.
    pub(super) fn add(&mut self, step: i64, page: &[u8]) -> anyhow::Result<()> {
        let page = std::str::from_utf8(page)?;
        self.scrapes += 1;
        let mut family = None;
        for line in page.lines() {
            if line == "# EOF" {
                break;
            }
            if let Some(about) = line.strip_prefix("# ") {
                family = Some(self.head(about, line)?);
                continue;
            }
            let family = family.with_context(|| format!("a sample before any # TYPE: {line}"))?;
            let (key, value) = sample(line).with_context(|| format!("no sample: {line}"))?;
            self.set(family, step, key, value);
        }
        self.forget(step);
        Ok(())
    }

    /// The family that a line such as `TYPE name counter` is of.
    fn head(&mut self, about: &str, line: &str) -> anyhow::Result<usize> {
        let mut words = about.splitn(3, ' ');
        let (what, name) =
            (words.next().unwrap_or_default(), words.next().with_context(|| format!("no name: {line}"))?);
        let families = &mut self.families;
        let family = *self.by_name.entry(name.to_owned()).or_insert_with(|| {
            families.push(Family::default());
            families.len() - 1
        });
        let known = &mut self.families[family];
        if !known.head.iter().any(|known| known == line) {
            known.head.push(line.to_owned());
        }
        if what == "TYPE" {
            known.counts = matches!(words.next(), Some("counter" | "histogram" | "summary"));
        }
        Ok(family)
    }

    fn set(&mut self, family: usize, step: i64, key: &str, value: f64) {
        let place = self.places.get(key).copied().filter(|(of, ..)| *of == family);
        let (_, metric, line) = place.unwrap_or_else(|| self.meet(family, key));
        let family = &mut self.families[family];
        let line = &mut family.metrics[metric].lines[line];
        line.seen = self.scrapes;
        line.set(step, value, family.counts);
    }

    fn meet(&mut self, family: usize, key: &str) -> (usize, usize, usize) {
        let known = &mut self.families[family];
        let metrics = &mut known.metrics;
        let metric = *known.by_labels.entry(metric_of(key)).or_insert_with(|| {
            metrics.push(Metric::default());
            metrics.len() - 1
        });
        let lines = &mut known.metrics[metric].lines;
        lines.push(Line { key: key.to_owned(), changes: Vec::new(), seen: 0 });
        let place = (family, metric, lines.len() - 1);
        self.places.insert(key.to_owned(), place);
        place
    }

    /// What the last exposition no longer had ends with it.
    fn forget(&mut self, step: i64) {
        let lines =
            self.families.iter_mut().flat_map(|family| &mut family.metrics).flat_map(|metric| &mut metric.lines);
        for line in lines.filter(|line| line.seen != self.scrapes) {
            if line.changes.last().is_some_and(|(_, value)| value.is_some()) {
                line.changes.push((step, None));
            }
        }
    }

    /// Writes every sample of every step up to `last`; `time` says when a step is.
    pub(super) fn write(&self, last: i64, time: impl Fn(i64) -> String, out: &mut impl Write) -> io::Result<()> {
        for family in &self.families {
            family.head.iter().try_for_each(|line| writeln!(out, "{line}"))?;
            family.metrics.iter().try_for_each(|metric| metric.write(last, &time, out))?;
        }
        writeln!(out, "# EOF")?;
        out.flush()
    }
}

impl Metric {
    fn write(&self, last: i64, time: &impl Fn(i64) -> String, out: &mut impl Write) -> io::Result<()> {
        let firsts = self.lines.iter().filter_map(|line| line.changes.first());
        let Some(first) = firsts.map(|(step, _)| *step).min() else { return Ok(()) };
        let mut next = vec![0; self.lines.len()];
        for step in first..=last {
            let time = time(step);
            for (line, next) in self.lines.iter().zip(&mut next) {
                while line.changes.get(*next).is_some_and(|(from, _)| *from <= step) {
                    *next += 1;
                }
                let value = next.checked_sub(1).and_then(|now| line.changes[now].1);
                if let Some(value) = value {
                    writeln!(out, "{} {} {time}", line.key, Number(value))?;
                }
            }
        }
        Ok(())
    }
}

struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_infinite() { f.write_str(if self.0 > 0.0 { "+Inf" } else { "-Inf" }) } else { self.0.fmt(f) }
    }
}

/// Name with labels, and the value; its own time and an exemplar are left out.
fn sample(line: &str) -> Option<(&str, f64)> {
    let end = key_end(line)?;
    let (key, rest) = line.split_at(end);
    let value = rest.strip_prefix(' ')?.split(' ').next()?;
    Some((key, value.parse().ok()?))
}

/// Where a sample's name and labels end.
fn key_end(line: &str) -> Option<usize> {
    let start = line.find(['{', ' '])?;
    if line.as_bytes()[start] == b' ' {
        return Some(start);
    }
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in line.bytes().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'}' if !quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What all samples of one metric share: the labels without `le`.
fn metric_of(key: &str) -> String {
    let Some((_, labels)) = key.split_once('{') else { return String::new() };
    let labels = labels.strip_suffix('}').unwrap_or(labels);
    let mut kept = String::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    let ends = labels.bytes().enumerate().filter_map(|(at, byte)| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(at),
            _ => {}
        }
        None
    });
    for end in ends.chain([labels.len()]) {
        let label = &labels[start..end];
        if !label.starts_with("le=\"") && !label.is_empty() {
            kept.push_str(label);
            kept.push(',');
        }
        start = (end + 1).min(labels.len());
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(pages: &[(i64, &str)], last: i64) -> String {
        let mut series = Series::default();
        for (step, page) in pages {
            series.add(*step, page.as_bytes()).unwrap();
        }
        let mut out = Vec::new();
        series.write(last, |step| (step * 15).to_string(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn families_and_metrics_stay_together_and_time_goes_up_in_them() {
        let one = "# TYPE a counter\n# HELP a Ha.\na_total{x=\"1\"} 2\n# TYPE g gauge\ng 5\n# EOF\n";
        let two =
            "# TYPE a counter\n# HELP a Ha.\na_total{x=\"1\"} 2\na_total{x=\"2\"} 1\n# TYPE g gauge\ng 6\n# EOF\n";
        let wanted = "# TYPE a counter\n# HELP a Ha.\n\
            a_total{x=\"1\"} 0 0\na_total{x=\"1\"} 2 15\na_total{x=\"1\"} 2 30\na_total{x=\"1\"} 2 45\n\
            a_total{x=\"2\"} 0 30\na_total{x=\"2\"} 1 45\n\
            # TYPE g gauge\ng 5 15\ng 5 30\ng 6 45\n# EOF\n";
        assert_eq!(written(&[(1, one), (3, two)], 3), wanted);
    }

    #[test]
    fn the_samples_of_one_histogram_of_one_step_stand_together() {
        let page = "# TYPE h histogram\n\
            h_bucket{le=\"1.0\",x=\"a,le=\\\"\"} 1 # {trace_id=\"7\"} 0.5 1\nh_bucket{le=\"+Inf\",x=\"a,le=\\\"\"} 2\n\
            h_count{x=\"a,le=\\\"\"} 2\nh_sum{x=\"a,le=\\\"\"} 3.5\n# EOF\n";
        let text = written(&[(1, page)], 1);
        let values: Vec<_> = text.lines().filter_map(|line| line.split("} ").nth(1)).collect();
        assert_eq!(values, ["0 0", "0 0", "0 0", "0 0", "1 15", "2 15", "2 15", "3.5 15"], "{text}");
    }

    #[test]
    fn what_expired_ends_and_starts_anew_from_zero() {
        let page = |a: &str| format!("# TYPE a counter\n{a}# EOF\n");
        let pages = [(1, page("a_total 5\n")), (3, page("")), (6, page("a_total 1\n"))];
        let pages: Vec<_> = pages.iter().map(|(step, page)| (*step, page.as_str())).collect();
        let wanted = "# TYPE a counter\na_total 0 0\na_total 5 15\na_total 5 30\na_total 0 75\na_total 1 90\n# EOF\n";
        assert_eq!(written(&pages, 6), wanted);
    }

    #[test]
    fn what_is_no_exposition_is_an_error() {
        for page in
            ["a_total 1\n", "# TYPE a counter\na_total{x=\"} 1\n", "# TYPE a counter\na_total one\n", "# TYPE\n"]
        {
            assert!(Series::default().add(1, page.as_bytes()).is_err(), "{page}");
        }
        assert!(Series::default().add(1, b"\xFF").is_err());
    }

    proptest! {
        #[test]
        fn the_last_sample_of_a_counter_is_its_last_value_and_times_go_up(
            values in prop::collection::vec(prop::option::of(0_u32..5), 1..12),
        ) {
            let (mut series, mut total, mut last) = (Series::default(), 0, None);
            for (step, more) in (10_i64..).zip(&values) {
                total += more.unwrap_or(0);
                if more.is_some() {
                    series.add(step, format!("# TYPE a counter\na_total {total}\n# EOF\n").as_bytes()).unwrap();
                    last = Some(total);
                }
            }
            let end = 9 + i64::try_from(values.len()).unwrap();
            let mut out = Vec::new();
            series.write(end, |step| step.to_string(), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let samples: Vec<(f64, i64)> = text
                .lines()
                .filter_map(|line| line.strip_prefix("a_total ")?.split_once(' '))
                .map(|(value, time)| (value.parse().unwrap(), time.parse().unwrap()))
                .collect();
            prop_assert_eq!(samples.last().map(|(value, _)| *value), last.map(f64::from));
            prop_assert!(samples.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 + 1 == pair[1].1), "{}", text);
            prop_assert!(samples.first().is_none_or(|(value, _)| *value == 0.0), "{}", text);
            prop_assert!(samples.last().is_none_or(|(_, time)| *time == end), "{}", text);
        }

        #[test]
        fn no_text_of_a_plugin_breaks_it(lines in prop::collection::vec("(# TYPE a counter|a_total|[a{}\"\\\\=, #1ü]{0,12})", 0..6)) {
            let mut series = Series::default();
            let _ = series.add(1, lines.join("\n").as_bytes());
            series.write(2, |step| step.to_string(), &mut Vec::new()).unwrap();
        }
    }
}
