//! The entry of `prometheus.yml` that fits a config.
//!
//! The plugin does not know where the host listens beyond the port, so the target is on the loopback address, as it is
//! where nothing else is said; a comment has the form for a scraper on another machine.

use metricast_aggregator::{Histograms, identity};
use metricast_sdk::Snippet;

use crate::options::Config;

/// How often the entry has Prometheus scrape.
const INTERVAL: &str = "15s";

/// The formats in the order in which a server that wants native histograms prefers them; they are in protobuf only.
const PROTOCOLS: &str = "[PrometheusProto, OpenMetricsText1.0.0, OpenMetricsText0.0.1, PrometheusText1.0.0, \
                         PrometheusText0.0.4]";

/// Why the server wants its flag.
const FLAG: &str = "\
# Start Prometheus with --enable-feature=created-timestamp-zero-ingestion: then increase() and rate() count what a
# series had when it was scraped first. Without the flag a series' first value is invisible to them, unless its
# publisher holds new series at 0 for a time.
";

/// The job's name.
pub(crate) fn job(config: &Config) -> String {
    identity::job(config.service.as_deref(), config.namespace.as_deref())
}

/// What goes into `prometheus.yml`.
pub(crate) fn scrape_config(config: &Config) -> Snippet {
    let mut lines = vec![
        "scrape_configs:".to_owned(),
        format!("  - job_name: {}", quoted(&job(config))),
        format!("    scrape_interval: {INTERVAL}"),
    ];
    histograms(&mut lines, config.histograms);
    target(&mut lines, config);
    lines.push(String::new());
    Snippet {
        name: "scrape-config",
        about: "The scrape job, for prometheus.yml: where scrape_configs is there already, add the entry to it"
            .to_owned(),
        text: FLAG.to_owned() + &lines.join("\n"),
    }
}

fn histograms(lines: &mut Vec<String>, histograms: Histograms) {
    if histograms == Histograms::Classic {
        return;
    }
    lines.push(
        "    # From Prometheus 3.8 on; before it, --enable-feature=native-histograms instead of this key.".to_owned(),
    );
    lines.push("    scrape_native_histograms: true".to_owned());
    if histograms == Histograms::Both {
        lines.push("    # Else the classic buckets of a histogram that has native ones are dropped.".to_owned());
        lines.push("    always_scrape_classic_histograms: true".to_owned());
    }
    lines.push(format!("    scrape_protocols: {PROTOCOLS}"));
}

fn target(lines: &mut Vec<String>, config: &Config) {
    let port = config.port;
    lines.push("    static_configs:".to_owned());
    if port == 0 {
        lines.push("      # Its port is another at each start: set `port`, and print this again.".to_owned());
    }
    let elsewhere = quoted(&address(config.host.as_deref().unwrap_or("HOST"), port));
    lines
        .push(format!("      # To be scraped from another machine: the target {elsewhere}, and in metricast's config"));
    lines.push(format!("      # listen = \"0.0.0.0:{port}\" beside `plugin`."));
    lines.push(format!("      - targets: [{}]", quoted(&address("127.0.0.1", port))));
    let labels = [("instance", &config.instance), ("environment", &config.environment)];
    let labels: Vec<String> = labels
        .iter()
        // What the series have already would be there twice, the scraped one as exported_environment.
        .filter(|(name, _)| !config.labels.contains_key(*name))
        .filter_map(|(name, value)| Some(format!("          {name}: {}", quoted(value.as_deref()?))))
        .collect();
    if !labels.is_empty() {
        lines.push("        labels:".to_owned());
        lines.extend(labels);
    }
}

fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A text of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
#[path = "snippet_tests.rs"]
mod tests;
