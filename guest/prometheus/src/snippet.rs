//! What goes into Prometheus' own configuration, as YAML. Every text in it is quoted as JSON, which YAML is as well.

use std::fmt::Write as _;

use metricast_sdk::Snippet;
use metricast_series::HistogramForm;
use serde_json::Value;

use crate::options::Config;

/// The name of the scrape's job: the service, behind its namespace where it has one.
pub(crate) fn job(config: &Config) -> String {
    let service = config.service.as_deref().unwrap_or("metricast");
    match &config.namespace {
        Some(namespace) => format!("{namespace}/{service}"),
        None => service.to_owned(),
    }
}

/// The job of `scrape_configs` that fits a config.
pub(crate) fn scrape_config(config: &Config) -> Snippet {
    let about = match &config.host {
        Some(host) => format!(
            "A job for prometheus.yml. A Prometheus on another machine scrapes {host}:{}, once `listen` beside `plugin` \
             names an address that it can reach.",
            config.port
        ),
        None => {
            "A job for prometheus.yml. A Prometheus on another machine needs this one's address as the target, and \
                 `listen` beside `plugin` to name an address that it can reach."
                .to_owned()
        }
    };
    Snippet { name: "scrape-config", about, text: text(config) }
}

fn text(config: &Config) -> String {
    let mut text = format!("scrape_configs:\n  - job_name: {}\n", quoted(&job(config)));
    text += match config.histograms.into() {
        HistogramForm::Classic => "",
        HistogramForm::Native => NATIVE,
        HistogramForm::Both => BOTH,
    };
    let target = quoted(&format!("127.0.0.1:{}", config.port));
    write!(text, "    static_configs:\n      - targets: [{target}]\n").expect("a String takes every write");
    // A label that the series have already would come back as exported_environment.
    let environment = config.environment.as_ref().filter(|_| !config.labels.contains_key("environment"));
    let labels = [("instance", config.instance.as_ref()), ("environment", environment)];
    let labels: Vec<_> = labels.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    if !labels.is_empty() {
        text += "        labels:\n";
    }
    for (name, value) in labels {
        writeln!(text, "          {name}: {}", quoted(value)).expect("a String takes every write");
    }
    text
}

const NATIVE: &str = r#"    # Native histograms need protobuf, and Prometheus 3.8 or later.
    scrape_protocols: ["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"]
    scrape_native_histograms: true
"#;

const BOTH: &str = r#"    # Native histograms need protobuf, and Prometheus 3.8 or later.
    scrape_protocols: ["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"]
    scrape_native_histograms: true
    # Without it the native histograms take the place of the classic ones.
    always_scrape_classic_histograms: true
"#;

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Histograms;

    #[test]
    fn the_least_config_has_a_job_and_a_target() {
        let snippet = scrape_config(&Config::default());
        let expected = "scrape_configs:\n  - job_name: \"metricast\"\n    static_configs:\n      - targets: [\"127.0.0.1:9464\"]\n";
        assert_eq!(snippet.text, expected);
        assert!(snippet.about.contains("this one's address"), "{}", snippet.about);
    }

    #[test]
    fn the_job_fits_histograms_and_names() {
        let named = |text: &str| Some(text.to_owned());
        let config = Config {
            port: 9999,
            service: named("check\"out"),
            namespace: named("shop"),
            environment: named("production"),
            instance: named("a-1"),
            host: named("a.example"),
            histograms: Histograms::Both,
            ..Config::default()
        };
        let snippet = scrape_config(&config);
        let expected = r#"scrape_configs:
  - job_name: "shop/check\"out"
    # Native histograms need protobuf, and Prometheus 3.8 or later.
    scrape_protocols: ["PrometheusProto", "OpenMetricsText1.0.0", "PrometheusText0.0.4"]
    scrape_native_histograms: true
    # Without it the native histograms take the place of the classic ones.
    always_scrape_classic_histograms: true
    static_configs:
      - targets: ["127.0.0.1:9999"]
        labels:
          instance: "a-1"
          environment: "production"
"#;
        assert_eq!(snippet.text, expected);
        assert!(snippet.about.contains("a.example:9999"), "{}", snippet.about);
        let native = scrape_config(&Config { histograms: Histograms::Native, ..config });
        assert!(native.text.contains("scrape_native_histograms: true\n    static_configs"), "{}", native.text);
    }
}
