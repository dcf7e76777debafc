//! Where documents go: the names of data streams or indices, and of the template that shapes them.

use metricast_sdk::PublishError;

use crate::options::{Config, DataStream, Indices};

/// Names of indices have 255 bytes at most; a date, a generation and the kind of record come to the prefix.
const MAX_PREFIX: usize = 200;
/// What a dataset and a namespace may have
/// (<https://www.elastic.co/guide/en/ecs/current/ecs-data_stream.html>); `.network` comes to the dataset.
const MAX_NAMESPACE: usize = 100;
const MAX_DATASET: usize = MAX_NAMESPACE - ".network".len();

/// What Elasticsearch's own templates take, as the beginning of a name and how many more dashes there must be
/// (<https://www.elastic.co/guide/en/elasticsearch/reference/current/index-templates.html>).
const BUILT_IN: [(&str, usize, &str); 8] = [
    ("logs-", 1, "logs-*-*"),
    ("metrics-", 1, "metrics-*-*"),
    ("synthetics-", 1, "synthetics-*-*"),
    ("traces-", 1, "traces-*-*"),
    ("profiling-", 0, "profiling-*"),
    ("security_solution-", 1, "security_solution-*-*"),
    ("logs.otel.", 0, "logs.otel.*"),
    ("logs.ecs.", 0, "logs.ecs.*"),
];

/// Where documents go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The data stream of events, or what the names of its indices begin with.
    pub(crate) event: String,
    /// The same of network operations.
    pub(crate) network: String,
    /// What the template's name begins with.
    stem: String,
    /// Plain indices, one a day.
    pub(crate) daily: bool,
    /// The parts of the names by Elastic's scheme.
    pub(crate) scheme: Option<Scheme>,
}

/// The parts that Elastic's scheme wants in each document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// Without the kind of record.
    pub(crate) dataset: String,
    pub(crate) namespace: String,
}

impl TryFrom<&Config> for Layout {
    type Error = PublishError;

    fn try_from(config: &Config) -> Result<Self, PublishError> {
        let prefix = &config.index_prefix;
        check_name(prefix, MAX_PREFIX).map_err(|what| PublishError::misconfigured("index_prefix", what))?;
        match (&config.data_stream, config.indices) {
            (None, indices) => Self::of_prefix(prefix, indices == Indices::Daily),
            (Some(parts), Indices::DataStreams) => Self::of_scheme(prefix, parts),
            (Some(_), Indices::Daily) => {
                let what = "names data streams, and indices = \"daily\" makes plain indices: keep one of them";
                Err(PublishError::misconfigured("data_stream", what))
            }
        }
    }
}

impl Layout {
    fn of_prefix(prefix: &str, daily: bool) -> Result<Self, PublishError> {
        let event = format!("{prefix}-event");
        if let Some(pattern) = built_in(&event) {
            let what = format_args!(
                "{event} falls under {pattern}, a template of Elasticsearch's own: choose another prefix, or name the \
                 streams with data_stream = {{ dataset = \"…\", namespace = \"…\" }}"
            );
            return Err(PublishError::misconfigured("index_prefix", what));
        }
        Ok(Self { event, network: format!("{prefix}-network"), stem: prefix.to_owned(), daily, scheme: None })
    }

    fn of_scheme(prefix: &str, parts: &DataStream) -> Result<Self, PublishError> {
        let dataset = parts.dataset.as_deref().unwrap_or(prefix);
        check_part("data_stream.dataset", dataset, MAX_DATASET)?;
        check_part("data_stream.namespace", &parts.namespace, MAX_NAMESPACE)?;
        let namespace = parts.namespace.clone();
        Ok(Self {
            event: format!("logs-{dataset}.event-{namespace}"),
            network: format!("logs-{dataset}.network-{namespace}"),
            stem: format!("logs-{dataset}-{namespace}"),
            daily: false,
            scheme: Some(Scheme { dataset: dataset.to_owned(), namespace }),
        })
    }

    /// The name of the index template.
    pub(crate) fn template(&self) -> String {
        format!("{}-{}metricast", self.stem, if self.daily { "daily-" } else { "" })
    }

    /// The key of the config that the names come from.
    pub(crate) fn key(&self) -> &'static str {
        if self.scheme.is_some() { "data_stream" } else { "index_prefix" }
    }

    /// The data streams, none where there are plain indices.
    pub(crate) fn streams(&self) -> Vec<&str> {
        if self.daily { Vec::new() } else { vec![&self.event, &self.network] }
    }

    /// Names that the template must be in force for.
    pub(crate) fn samples(&self) -> [String; 2] {
        let day = if self.daily { "-2026.11.22" } else { "" };
        [&self.event, &self.network].map(|name| format!("{name}{day}"))
    }

    /// What the template takes: these names and no others.
    pub(crate) fn patterns(&self) -> [String; 2] {
        let dated = if self.daily { "-*.*.*" } else { "" };
        [&self.event, &self.network].map(|name| format!("{name}{dated}"))
    }
}

fn check_name(name: &str, max: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    if name.len() > max {
        return Err(format!("has {} bytes: at most {max} fit into an index name", name.len()));
    }
    if name.chars().any(char::is_uppercase) {
        return Err(format!("index names are lower case: write {:?}", name.to_lowercase()));
    }
    let fits = |char: char| matches!(char, 'a'..='z' | '0'..='9' | '-' | '_' | '.');
    if let Some(char) = name.chars().find(|&char| !fits(char)) {
        return Err(format!("has {char:?} in it: an index name is made of a-z, 0-9, \"-\", \"_\" and \".\""));
    }
    if name.starts_with(['-', '_', '.']) {
        return Err(format!("begins with {:?}: an index name begins with a letter or a digit", &name[..1]));
    }
    Ok(())
}

fn check_part(key: &str, name: &str, max: usize) -> Result<(), PublishError> {
    check_name(name, max).map_err(|what| PublishError::misconfigured(key, what))?;
    if name.contains('-') {
        let what = format_args!(
            "{name:?} has a dash in it, which separates the parts of a stream's name: write {:?}",
            name.replace('-', "_")
        );
        return Err(PublishError::misconfigured(key, what));
    }
    Ok(())
}

fn built_in(name: &str) -> Option<&'static str> {
    let falls_under = |(start, dashes, _): &(&str, usize, &str)| {
        name.strip_prefix(start).is_some_and(|rest| rest.matches('-').count() >= *dashes)
    };
    BUILT_IN.iter().find(|rule| falls_under(rule)).map(|(_, _, pattern)| *pattern)
}

#[cfg(test)]
mod tests {
    use super::built_in;

    #[test]
    fn names_under_a_built_in_template_are_known() {
        for (name, pattern) in [
            ("logs-shop-event", Some("logs-*-*")),
            ("metrics-shop-event", Some("metrics-*-*")),
            ("profiling-event", Some("profiling-*")),
            ("logs.otel.shop-event", Some("logs.otel.*")),
            ("logs-event", None),
            ("shop-logs-event", None),
            ("synthetics-event", None),
        ] {
            assert_eq!(built_in(name), pattern, "{name}");
        }
    }
}
