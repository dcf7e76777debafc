//! OTLP.

use metricast_series::HistogramForm;
use metricast_series::otlp::Resource;
use metricast_series::push::{Body, Format, Limits, Sent};
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

use crate::decode::{self, list};
use crate::{BEGIN, Metrics, all, bodies};

const REQUEST: &str = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest";

fn resource() -> Resource {
    let attributes = [("service.name", "pay"), ("service.namespace", "shop"), ("deployment.environment", "")];
    Resource::new(attributes).expect("a resource")
}

fn request(body: &Body) -> Value {
    assert_eq!(body.size, body.bytes.len());
    serde_json::to_value(decode::message(REQUEST, &body.bytes)).expect("messages have JSON")
}

/// The metrics of a body, each as JSON.
fn metrics(body: &Body) -> Vec<Value> {
    let scope = &request(body)["resourceMetrics"][0]["scopeMetrics"][0];
    assert_eq!(scope["scope"], json!({ "name": "metricast", "version": env!("CARGO_PKG_VERSION") }));
    scope["metrics"].as_array().expect("a list").clone()
}

fn nanos(millis: i64) -> String {
    (millis * 1_000_000).to_string()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

#[test]
fn sums_and_gauges_are_read_back() {
    let mut all = Metrics::new(HistogramForm::Classic);
    let resource = resource();
    all.at(BEGIN - 5000);
    all.moved("a", 3);
    let gauge = all.registry.gauge(all.last, &[]);
    all.registry.raise(gauge, 1.5, 1);
    let body = &bodies(&all, &mut Sent::default(), BEGIN, Format::Otlp(&resource))[0];
    assert_eq!(
        request(body)["resourceMetrics"][0]["resource"],
        json!({ "attributes": [attribute("service.name", "pay"), attribute("service.namespace", "shop")] })
    );
    let attributes = json!([attribute("name", "a"), attribute("region", "eu")]);
    let start = nanos(BEGIN - 5000);
    let sum = json!({
        "name": "moved_bytes_total", "description": "Bytes.", "unit": "By",
        "sum": {
            "aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE", "isMonotonic": true,
            "dataPoints": [
                { "attributes": attributes, "startTimeUnixNano": start, "timeUnixNano": start, "asDouble": 0.0 },
                { "attributes": attributes, "startTimeUnixNano": start, "timeUnixNano": nanos(BEGIN), "asDouble": 3.0 },
            ],
        },
    });
    let gauge = json!({
        "name": "last",
        "gauge": { "dataPoints": [{ "attributes": [attribute("region", "eu")], "timeUnixNano": nanos(BEGIN), "asDouble": 1.5 }] },
    });
    assert_eq!(metrics(body)[..2], [sum, gauge]);
}

#[test]
fn both_forms_of_a_histogram_are_read_back() {
    let mut all = Metrics::new(HistogramForm::Both);
    let resource = resource();
    all.at(BEGIN - 5000);
    for seconds in [0.5, 0.75, 0.0, 8.0] {
        all.took("a", seconds);
    }
    let mut sent = Sent::default();
    let metrics = metrics(&bodies(&all, &mut sent, BEGIN, Format::Otlp(&resource))[0]);
    let point = |metric: &Value, kind: &str, at: usize| {
        assert_eq!((&metric["name"], &metric["unit"]), (&json!("took_seconds"), &json!("s")));
        metric[kind]["dataPoints"][at].clone()
    };
    let attributes = json!([attribute("name", "a"), attribute("region", "eu")]);
    assert_eq!(
        point(&metrics[0], "histogram", 1),
        json!({
            "attributes": attributes, "startTimeUnixNano": nanos(BEGIN - 5000), "timeUnixNano": nanos(BEGIN),
            "count": "4", "sum": 9.25, "bucketCounts": ["2", "1", "1"], "explicitBounds": [0.5, 1.0],
        })
    );
    assert_eq!(point(&metrics[0], "histogram", 0)["bucketCounts"], json!(["0", "0", "0"]));
    // Bucket -8 of Prometheus is -9 here; the highest, up to 8, is 24 of Prometheus.
    let exponential = point(&metrics[1], "exponentialHistogram", 1);
    let counts = exponential["positive"]["bucketCounts"].as_array().expect("a list");
    assert_eq!(counts.len(), 33);
    assert_eq!([&counts[0], &counts[5], &counts[32]], [&json!("1"); 3]);
    assert_eq!(
        [&exponential["positive"]["offset"], &exponential["scale"], &exponential["zeroCount"], &exponential["count"]],
        [&json!(-9), &json!(3), &json!("1"), &json!("4")]
    );
}

/// The flags of all data points of a body.
fn flags(body: &Body) -> Vec<u32> {
    let request = decode::message(REQUEST, &body.bytes);
    let metrics = list(&list(&request, "resource_metrics")[0], "scope_metrics");
    let data = |metric: &DynamicMessage| {
        let kinds = ["gauge", "sum", "histogram", "exponential_histogram"];
        let kind = kinds.into_iter().find(|kind| metric.has_field_by_name(kind)).expect("a kind");
        list(decode::value(metric, kind).as_message().expect("a message"), "data_points")
    };
    let points = list(&metrics[0], "metrics").iter().flat_map(data).collect::<Vec<_>>();
    points.iter().map(|point| decode::value(point, "flags").as_u32().expect("flags")).collect()
}

#[test]
fn a_series_that_has_ended_has_no_recorded_value() {
    let mut metrics = Metrics::new(HistogramForm::Both);
    let (resource, mut sent) = (resource(), Sent::default());
    metrics.moved("a", 3);
    metrics.took("a", 0.1);
    let first = bodies(&metrics, &mut sent, BEGIN, Format::Otlp(&resource));
    assert!(flags(&first[0]).iter().all(|flags| *flags == 0));
    let end = all(&sent.begin_end(&metrics.registry, BEGIN + 1000).expect("it is later"), Format::Otlp(&resource));
    assert_eq!(flags(&end[0]), [1; 5]);
}

#[test]
fn exemplars_name_their_trace() {
    let mut all = Metrics::new(HistogramForm::Classic);
    let resource = resource();
    all.took_with_exemplar("a", 0.75, BEGIN - 500, "0af7651916cd43dd8448eb211c80319c");
    all.took_with_exemplar("a", 0.25, BEGIN - 400, "no id");
    let metrics = metrics(&bodies(&all, &mut Sent::default(), BEGIN, Format::Otlp(&resource))[0]);
    assert_eq!(
        metrics[0]["histogram"]["dataPoints"][1]["exemplars"],
        json!([
            { "timeUnixNano": nanos(BEGIN - 400), "asDouble": 0.25, "filteredAttributes": [attribute("trace_id", "no id")] },
            { "timeUnixNano": nanos(BEGIN - 500), "asDouble": 0.75, "traceId": "CvdlGRbNQ92ESOshHIAxnA==" },
        ])
    );
}

#[test]
fn however_it_is_cut_each_body_stands_by_itself() {
    let mut metrics_of = Metrics::new(HistogramForm::Both);
    let resource = resource();
    for name in ["a", "b", "c", "d", "e"] {
        metrics_of.moved(name, 3);
        metrics_of.took(name, 0.1);
    }
    let points = |bodies: &[Body]| {
        let mut points = Vec::new();
        for metric in bodies.iter().flat_map(metrics) {
            for kind in ["sum", "gauge", "histogram", "exponentialHistogram"] {
                for point in metric[kind]["dataPoints"].as_array().into_iter().flatten() {
                    points.push(format!("{} {kind} {point}", metric["name"]));
                }
            }
        }
        points.sort();
        points
    };
    let mut sent = Sent::default();
    let push = sent.begin(&metrics_of.registry, BEGIN).expect("it is later");
    let whole = points(&all(&push, Format::Otlp(&resource)));
    for (samples, bytes) in [(1, 1 << 20), (5, 1 << 20), (7, 1000), (10_000, 700)] {
        let cut: Vec<_> = push.bodies(Format::Otlp(&resource), Limits { samples, bytes }).collect();
        assert!(cut.len() > 3);
        let fits = |body: &Body| body.count.samples <= samples && body.size <= bytes;
        assert!(cut.iter().all(|body| fits(body) || body.series.len() == 1));
        assert_eq!(points(&cut), whole);
        assert!(cut.iter().all(|body| request(body)["resourceMetrics"][0]["resource"]["attributes"].is_array()));
    }
}

#[test]
fn a_resource_has_each_attribute_once() {
    let refused =
        |attributes: &[(&str, &str)]| Resource::new(attributes.iter().copied()).expect_err("refused").to_string();
    assert_eq!(refused(&[("a", "1"), ("a", "2")]), "the attribute `a` of the resource is there twice");
    assert_eq!(refused(&[("", "1")]), "an attribute of the resource has no name");
}
