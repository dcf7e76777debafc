//! What a server's config says of one scrape job.
//!
//! The server writes its config out anew, always in the same shape, and this reads that shape only: a table's keys two
//! blanks in, a list's items as far in as the key that they belong to. What is not found counts as not said.

use std::borrow::Cow;

/// The settings of a job that matter here; what it does not say is what `global` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ScrapeJob {
    /// `scrape_native_histograms`, from 3.8 on.
    pub(super) native: Option<bool>,
    /// `always_scrape_classic_histograms`, `scrape_classic_histograms` before 3.0.
    pub(super) classic: Option<bool>,
    /// `scrape_protocols`, the most wanted first, from 2.49 on.
    pub(super) protocols: Vec<String>,
}

/// The settings of the job called `name` in a config.
pub(super) fn read(yaml: &str, name: &str) -> ScrapeJob {
    let mut found = ScrapeJob::default();
    let (mut section, mut list) = ("", "");
    let mut wanted = false;
    for line in yaml.lines() {
        if !line.starts_with([' ', '-']) {
            section = line.trim_end_matches(':');
            wanted = section == "global";
        } else if let Some(item) = line.strip_prefix("  - ") {
            if wanted && list == "scrape_protocols" {
                found.protocols.push(text(item).into_owned());
            }
        } else if let Some((key, value)) = line.get(2..).and_then(|entry| entry.split_once(':')) {
            if section == "scrape_configs" && line.starts_with('-') {
                wanted = key == "job_name" && text(value) == name;
            }
            if wanted && !key.starts_with(' ') {
                list = key;
                found.take(key, value);
            }
        }
    }
    found
}

impl ScrapeJob {
    fn take(&mut self, key: &str, value: &str) {
        let flag = || text(value).parse().ok();
        match key {
            "scrape_native_histograms" => self.native = flag(),
            "always_scrape_classic_histograms" | "scrape_classic_histograms" => self.classic = flag(),
            // A job's own list takes the place of the one for all.
            "scrape_protocols" => self.protocols.clear(),
            _ => {}
        }
    }
}

/// A plain text, or one in quotation marks.
fn text(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.replace("''", "'").into();
    }
    if value.starts_with('"')
        && let Ok(inner) = serde_json::from_str::<String>(value)
    {
        return inner.into();
    }
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: &str = "\
global:
  scrape_interval: 1s
  scrape_protocols:
  - OpenMetricsText1.0.0
  scrape_native_histograms: true
runtime:
  scrape_native_histograms: false
scrape_configs:
- job_name: a
  always_scrape_classic_histograms: true
  static_configs:
  - targets:
    - scrape_native_histograms: false
- job_name: \"b\\n: c\"
  scrape_classic_histograms: false
  scrape_protocols:
  - PrometheusProto
  - PrometheusText0.0.4
  scrape_native_histograms: false
- job_name: 'it''s'
storage:
  scrape_native_histograms: false
";

    fn job(native: bool, classic: Option<bool>, protocols: &[&str]) -> ScrapeJob {
        let protocols = protocols.iter().map(|&name| name.to_owned()).collect();
        ScrapeJob { native: Some(native), classic, protocols }
    }

    #[test]
    fn a_job_says_what_is_its_own_and_the_rest_is_global() {
        assert_eq!(read(SHAPE, "a"), job(true, Some(true), &["OpenMetricsText1.0.0"]));
        let own = job(false, Some(false), &["PrometheusProto", "PrometheusText0.0.4"]);
        assert_eq!(read(SHAPE, "b\n: c"), own);
        assert_eq!(read(SHAPE, "it's"), job(true, None, &["OpenMetricsText1.0.0"]));
        assert_eq!(read(SHAPE, "no such job"), job(true, None, &["OpenMetricsText1.0.0"]));
    }

    #[test]
    fn what_has_another_shape_says_nothing() {
        for text in
            ["", "-", "- ", " ", "\n\n", "€: €\n€", "- €", "-€: a", "scrape_configs:\n-\n- job_name", "{a: [b]}"]
        {
            assert_eq!(read(text, "a"), ScrapeJob::default(), "{text}");
        }
    }
}
