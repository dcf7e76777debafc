//! Which of a server's targets this publisher is.

use serde_json::Value;

use crate::options::Config;
use crate::snippet;

/// A target as the server describes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The name of its scrape job in the config, whatever its label `job` says.
    pub(super) job: String,
    job_label: String,
    /// Host and port.
    pub(super) address: String,
    pub(super) instance: String,
    /// `up`, `down` or `unknown`.
    pub(super) health: String,
    pub(super) last_error: String,
    /// Whether native histograms are scraped, where the server says so by target.
    pub(super) native: Option<bool>,
    /// Whether classic ones are kept beside them, likewise.
    pub(super) classic: Option<bool>,
}

/// Which target it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    One(Target),
    /// No target has our instance or port.
    None,
    /// Several have our port, and none has our instance: the addresses.
    Several(Vec<String>),
}

/// Finds the target with our instance. Where there is none, it is the only one that has our port; where several have it,
/// the only one of them whose job is ours too.
pub(super) fn find(data: &Value, config: &Config) -> Found {
    let targets = data["activeTargets"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut likely: Vec<(Likeness, Target)> = targets
        .iter()
        .map(Target::of)
        .map(|target| (target.likeness(config), target))
        .filter(|(likeness, _)| likeness.instance || likeness.port)
        .collect();
    likely.sort_by_key(|(likeness, _)| std::cmp::Reverse(*likeness));
    let best = likely.first().map(|(likeness, _)| *likeness);
    let alike = likely.iter().filter(|(likeness, _)| Some(*likeness) == best).count();
    if alike > 1 && best.is_some_and(|best| !best.instance) {
        return Found::Several(likely.into_iter().map(|(_, target)| target.address).collect());
    }
    likely.into_iter().next().map_or(Found::None, |(_, target)| Found::One(target))
}

/// What a target has of ours, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Likeness {
    instance: bool,
    port: bool,
    job: bool,
}

impl Target {
    fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let discovered = |label: &str| value["discoveredLabels"][label].as_str()?.parse().ok();
        Self {
            job: text(&value["scrapePool"]),
            job_label: text(&value["labels"]["job"]),
            address: address(value["scrapeUrl"].as_str().unwrap_or_default()).to_owned(),
            instance: text(&value["labels"]["instance"]),
            health: text(&value["health"]),
            last_error: text(&value["lastError"]),
            native: discovered("__scrape_native_histograms__"),
            classic: discovered("__always_scrape_classic_histograms__"),
        }
    }

    fn likeness(&self, config: &Config) -> Likeness {
        Likeness {
            instance: config.instance.as_deref() == Some(self.instance.as_str()),
            port: self.address.rsplit_once(':').is_some_and(|(_, port)| port.parse() == Ok(config.port)),
            job: self.job_label == snippet::job(config),
        }
    }
}

/// Host and port of a URL.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(address: &str, instance: &str) -> Value {
        json!({
            "scrapePool": instance, "scrapeUrl": format!("http://{address}/metrics"), "health": "up",
            "labels": { "instance": instance }, "lastError": "",
        })
    }

    fn found(targets: &[Value], instance: Option<&str>) -> String {
        let config = Config { instance: instance.map(str::to_owned), ..Config::default() };
        match find(&json!({ "activeTargets": targets }), &config) {
            Found::One(target) => target.address,
            Found::None => "none".to_owned(),
            Found::Several(addresses) => addresses.join(" or "),
        }
    }

    #[test]
    fn an_instance_says_it_and_else_a_port_that_only_one_has() {
        let targets = [target("a:9464", "a"), target("b:9090", "b"), target("b:9464", "other")];
        assert_eq!(found(&targets, Some("b")), "b:9090");
        assert_eq!(found(&targets[..2], Some("c")), "a:9464");
        assert_eq!(found(&targets, Some("c")), "a:9464 or b:9464");
        assert_eq!(found(&targets, None), "a:9464 or b:9464");
        assert_eq!(found(&targets[1..2], None), "none");
        assert_eq!(found(&[target("c:1", "c"), target("[::1]:9464", "c")], Some("c")), "[::1]:9464");
        assert_eq!(found(&[json!(7), json!({})], Some("c")), "none");
    }

    #[test]
    fn among_several_with_our_port_the_one_of_our_job_is_it() {
        let mut targets = [target("a:9464", "a"), target("b:9464", "b"), target("c:9464", "c")];
        targets[1]["labels"]["job"] = json!("metricast");
        assert_eq!(found(&targets, None), "b:9464");
        targets[2]["labels"]["job"] = json!("metricast");
        assert_eq!(found(&targets, None), "b:9464 or c:9464 or a:9464");
    }
}
