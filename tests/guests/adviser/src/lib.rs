//! A plugin for tests of the command: it takes every setting of `[defaults]`, has findings and snippets by its config,
//! and posts its settings, once for each batch.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use metricast_sdk::http::{Method, Request};
use metricast_sdk::{
    Batch, Description, Exposition, Finding, Profile, PublishError, Publisher, Receipt, Saved, Snippet, Verdict,
};

/// All of it may be left out.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adviser {
    url: String,
    token: String,
    service: String,
    namespace: String,
    environment: String,
    instance: String,
    host: String,
    labels: BTreeMap<String, String>,
    /// How a probe goes: `asks` the URL, `nothing`, `trap` or `hang`.
    probe: String,
    /// One opening posts to one of them, below the URL.
    parts: Vec<String>,
    /// Where it is scraped, if it is.
    port: Option<u16>,
    /// How often it was scraped.
    #[serde(skip)]
    scrapes: Cell<u32>,
}

/// How long a scrape takes.
const SLOW: Duration = Duration::from_secs(1);

/// `port` is a key that the schema does not name: the host takes a plugin that names it for one that is scraped.
const SCHEMA: &str = r#"{"type": "object", "additionalProperties": true, "properties": {
    "url": {"type": "string", "format": "uri"},
    "token": {"type": "string"},
    "service": {"type": "string"},
    "namespace": {"type": "string"},
    "environment": {"type": "string"},
    "instance": {"type": "string"},
    "host": {"type": "string"},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "parts": {"type": "array", "items": {"type": "string"}},
    "probe": {"enum": ["asks", "nothing", "trap", "hang"]}}}"#;

impl Publisher for Adviser {
    type Config = Self;

    fn description() -> Description {
        Description { name: "adviser", version: env!("CARGO_PKG_VERSION"), config_schema: SCHEMA }
    }

    fn check(config: &Self) -> Result<(), PublishError> {
        let fits = |text: &str| !text.contains(' ');
        if !fits(&config.service) {
            return Err(PublishError::misconfigured("service", "has no blank in it"));
        }
        match config.labels.iter().find(|(_, text)| !fits(text)) {
            Some((name, _)) => Err(PublishError::misconfigured(format_args!("labels.{name}"), "has no blank in it")),
            None => Ok(()),
        }
    }

    fn probe(config: &Self) -> Vec<Finding> {
        match config.probe.as_str() {
            "nothing" => Vec::new(),
            "trap" => panic!("as the config says"),
            "hang" => loop {
                std::hint::black_box(());
            },
            _ => config.ask(),
        }
    }

    fn snippets(config: &Self) -> Result<Vec<Snippet>, PublishError> {
        let snippet = |name, text: String| Snippet { name, about: format!("what {name} is for"), text };
        let scrape = format!("job_name: {}\ninstance: {}\n", config.service, config.instance);
        let role = format!("{{\"user\": \"{}\"}}", config.url);
        let mut snippets = vec![snippet("role", role), snippet("scrape-config", scrape)];
        if !config.parts.is_empty() {
            snippets.push(snippet("parts", config.parts.join("\n")));
        }
        Ok(snippets)
    }

    fn extra() -> &'static [(&'static str, &'static str)] {
        &[("split-by", "parts")]
    }

    fn open(config: Self, _state: Option<Saved>) -> Result<Self, PublishError> {
        if config.parts.len() > 1 {
            return Err(PublishError::misconfigured("parts", "one at a time"));
        }
        Ok(config)
    }

    fn profile(&self) -> Profile {
        Profile { scrapes: self.port.is_some(), ..Profile::default() }
    }

    fn scrape(&self, _accept: &str) -> Option<Exposition> {
        std::thread::sleep(SLOW);
        self.scrapes.set(self.scrapes.get() + 1);
        let body = format!("scrapes_total {}\n", self.scrapes.get()).into_bytes();
        Some(Exposition { content_type: "text/plain; version=0.0.4".to_owned(), body })
    }

    fn publish(&mut self, batch: &Batch) -> Result<Receipt, PublishError> {
        let labels: Vec<_> = self.labels.iter().map(|(name, text)| format!("{name}={text}")).collect();
        let Self { service, namespace, environment, instance, host, .. } = self;
        let texts = [service, namespace, environment, instance, host].map(|text| text.as_str()).join("\n");
        let body = format!("{texts}\n{}", labels.join(","));
        let url = self.parts.iter().fold(self.url.clone(), |url, part| format!("{url}/{part}"));
        match Request::new(Method::Post, &url).body(body.as_bytes()).send() {
            Ok(response) if response.is_success() => Ok(Receipt::all_accepted(batch)),
            Ok(response) => Err(PublishError::unavailable(format!("{} answered {}", self.url, response.status))),
            Err(error) => Err(PublishError::unavailable(error.to_string())),
        }
    }
}

impl Adviser {
    fn ask(&self) -> Vec<Finding> {
        let finding = |question: &str, verdict, answer: String, fix: &str| {
            let [question, fix] = [question, fix].map(str::to_owned);
            Finding { of: self.url.clone(), question, verdict, answer, fix }
        };
        let token = format!("Bearer {}", self.token);
        let request = Request::new(Method::Get, &self.url).header("authorization", &token);
        let response = match request.send() {
            Ok(response) => response,
            Err(error) => {
                let fix = "start it, or correct `url`";
                return vec![finding("reachable", Verdict::Bad, error.to_string(), fix)];
            }
        };
        let credentials = match response.status {
            401 | 403 => finding("credentials", Verdict::Bad, "refused".to_owned(), "a new `token`"),
            _ => finding("credentials", Verdict::Good, "taken".to_owned(), ""),
        };
        let template = match response.status {
            404 => finding("template", Verdict::Warning, "there is none".to_owned(), "make one"),
            _ => finding("template", Verdict::Unknown, "nobody says".to_owned(), "see for yourself"),
        };
        vec![finding("reachable", Verdict::Good, format!("answers {}", response.status), ""), credentials, template]
    }
}

metricast_sdk::export!(Adviser);
