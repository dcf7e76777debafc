//! Queries of Prometheus: several servers answer them in the same way.

use std::collections::BTreeMap;

use http::Request;
use serde_json::Value;
use url::form_urlencoded;

use crate::http as client;

/// One series of an answer, with its value now.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The labels, `__name__` too.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A label's value; empty where it is missing.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// One series of an answer, with its values over a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The labels, `__name__` too.
    pub labels: BTreeMap<String, String>,
    /// Seconds since the Unix epoch, and the value.
    pub values: Vec<(f64, f64)>,
    /// Seconds since the Unix epoch, and the count and the sum of a native histogram.
    pub histograms: Vec<(f64, f64, f64)>,
}

/// Asks a server.
#[derive(Clone, Debug)]
pub struct Querier {
    api: String,
    tenant: Option<String>,
}

impl Querier {
    /// Of the API at this address: `http://127.0.0.1:9090/api/v1`.
    pub fn new(api: String) -> Self {
        Self { api, tenant: None }
    }

    /// The same for one tenant of a server that has several (`X-Scope-OrgID`).
    #[must_use]
    pub fn of_tenant(self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self }
    }

    /// What an expression gives now.
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        self.ask(expression, "vector", "").iter().map(sample).collect()
    }

    /// What an expression gave at a time, in seconds since the epoch.
    pub fn query_at(&self, expression: &str, time: f64) -> Vec<Sample> {
        self.ask(expression, "vector", &format!("&time={time}")).iter().map(sample).collect()
    }

    /// What a selector with a range (`up[5m]`) holds now: the samples as they are stored.
    pub fn stored(&self, selector: &str) -> Vec<Series> {
        self.ask(selector, "matrix", "").iter().map(series).collect()
    }

    /// The one value that an expression gives now; `None` where it gives no series.
    ///
    /// # Panics
    /// Where it gives several.
    pub fn value(&self, expression: &str) -> Option<f64> {
        let samples = self.query(expression);
        assert!(samples.len() < 2, "{expression} gives {} series", samples.len());
        samples.first().map(|sample| sample.value)
    }

    /// `more` goes behind the query, such as `&time=0`.
    fn ask(&self, expression: &str, kind: &str, more: &str) -> Vec<Value> {
        let form: String = form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let mut request = Request::post(format!("{}/query", self.api));
        if let Some(tenant) = &self.tenant {
            request = request.header("x-scope-orgid", tenant);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(format!("query={form}{more}").into_bytes()).expect("a request that can be");
        let answer = client::send(&request).expect("the server answers").expect_success(expression).json();
        assert_eq!(answer["data"]["resultType"], kind, "{expression}");
        answer["data"]["result"].as_array().expect("a list of series").clone()
    }
}

/// One series as the API has it.
pub(crate) fn sample(series: &Value) -> Sample {
    Sample { labels: labels(series), value: number(&series["value"][1]) }
}

fn series(series: &Value) -> Series {
    let list = |key: &str| series[key].as_array().cloned().unwrap_or_default().into_iter();
    let time = |point: &Value| point[0].as_f64().expect("a time is a number");
    Series {
        labels: labels(series),
        values: list("values").map(|point| (time(&point), number(&point[1]))).collect(),
        histograms: list("histograms")
            .map(|point| (time(&point), number(&point[1]["count"]), number(&point[1]["sum"])))
            .collect(),
    }
}

fn labels(series: &Value) -> BTreeMap<String, String> {
    let labels = series["metric"].as_object().expect("labels").iter();
    labels.map(|(name, value)| (name.clone(), value.as_str().expect("a label is text").to_owned())).collect()
}

fn number(text: &Value) -> f64 {
    text.as_str().expect("a value is text").parse().expect("a value is a number")
}
