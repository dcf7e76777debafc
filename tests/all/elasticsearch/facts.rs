//! What real servers do that the plugin's ways follow from, each asked for directly. Where one of these fails, a
//! server has changed, and the plugin may have to.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, Request};
use serde_json::{Value, json};
use support::http::{self as client, Answer};
use support::wait;

use super::engines::Engine;

/// Sends `_bulk` and says each item's status, and the answer.
fn statuses(engine: &Engine, path: &str, lines: &str) -> (Vec<u64>, Value) {
    let answer = engine.bulk(path, lines);
    let status = |item: &Value| item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap();
    (answer["items"].as_array().unwrap().iter().map(status).collect(), answer)
}

fn stream(engine: &Engine, name: &str, properties: &Value) {
    let template = json!({
        "index_patterns": [name], "priority": 501, "data_stream": {}, "template": { "mappings": { "properties": properties } },
    });
    engine.put(&format!("/_index_template/{name}"), &template);
}

fn index(engine: &Engine, name: &str, properties: &Value) {
    engine.put(&format!("/{name}"), &json!({ "mappings": { "properties": properties } }));
}

pub(super) fn a_data_stream_takes_nothing_but_create_with_a_timestamp(engine: &Engine) {
    stream(engine, "fact-stream", &json!({}));
    let lines = "{\"create\":{\"_id\":\"1\"}}\n{\"@timestamp\":\"2026-11-22T17:29:31Z\"}\n\
                 {\"index\":{}}\n{\"@timestamp\":\"2026-11-22T17:29:31Z\"}\n\
                 {\"create\":{}}\n{\"no\":\"timestamp\"}\n\
                 {\"create\":{\"_id\":\"1\"}}\n{\"@timestamp\":\"2026-11-22T17:29:31Z\"}\n";
    let (found, answer) = statuses(engine, "/fact-stream/_bulk", lines);
    assert_eq!(found, [201, 400, 400, 409], "{answer}");
    assert_eq!(answer["items"][3]["create"]["error"]["type"], "version_conflict_engine_exception");
}

pub(super) fn an_id_is_taken_again_after_a_rollover(engine: &Engine) {
    stream(engine, "fact-rolled", &json!({}));
    let line = "{\"create\":{\"_id\":\"1\"}}\n{\"@timestamp\":\"2026-11-22T17:29:31Z\"}\n";
    assert_eq!(statuses(engine, "/fact-rolled/_bulk", line).0, [201]);
    engine.post("/fact-rolled/_rollover", &json!({}));
    assert_eq!(statuses(engine, "/fact-rolled/_bulk", line).0, [201]);
    assert_eq!(engine.count("fact-rolled"), 2);
}

pub(super) fn a_thousand_ids_are_looked_up_over_all_generations_of_a_stream(engine: &Engine) {
    stream(engine, "fact-ids", &json!({}));
    let lines = |from: u32| (from..from + 500).map(line).collect::<String>();
    assert_eq!(statuses(engine, "/fact-ids/_bulk", &lines(0)).0, [201; 500]);
    engine.post("/fact-ids/_rollover", &json!({}));
    assert_eq!(statuses(engine, "/fact-ids/_bulk", &lines(500)).0, [201; 500]);
    let ids: Vec<_> = (0..1000).map(|id| id.to_string()).collect();
    let found =
        engine.search("fact-ids", &json!({ "size": 1000, "_source": false, "query": { "ids": { "values": ids } } }));
    assert_eq!(found["hits"]["hits"].as_array().unwrap().len(), 1000);
}

/// A document of a data stream that says its id.
fn line(id: u32) -> String {
    format!("{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"@timestamp\":\"2026-11-22T17:29:31Z\"}}\n")
}

pub(super) fn a_compressed_bulk_is_taken_and_again_each_item_is_a_conflict(engine: &Engine) {
    let mut body = GzEncoder::new(Vec::new(), Compression::fast());
    body.write_all((0..1000).map(line).collect::<String>().as_bytes()).unwrap();
    let body = body.finish().unwrap();
    for status in [201, 409] {
        let mut request = Request::post(format!("{}/fact-gzip/_bulk", engine.url()));
        if let Some((user, password)) = engine.user() {
            request = request.header("authorization", client::basic(user, password));
        }
        let request = request.header("content-type", "application/x-ndjson").header("content-encoding", "gzip");
        let answer = client::send(&request.body(body.clone()).unwrap()).unwrap().expect_success("gzip").json();
        let found: Vec<_> = answer["items"].as_array().unwrap().iter().map(|item| &item["create"]["status"]).collect();
        assert_eq!(found, vec![&json!(status); 1000]);
    }
}

pub(super) fn an_index_with_a_replica_is_yellow_on_one_node(engine: &Engine) {
    engine.put("/fact-yellow", &json!({ "settings": { "number_of_replicas": 1 } }));
    assert_eq!(engine.get("/_cluster/health/fact-yellow")["status"], "yellow");
}

pub(super) fn a_name_without_a_template_becomes_a_plain_index(engine: &Engine) {
    assert_eq!(statuses(engine, "/fact-guess/_bulk", "{\"create\":{}}\n{\"n\":\"1\"}\n").0, [201]);
    let guessed = wait::until("a mapping", Duration::from_secs(30), || {
        let mapping = engine.get("/fact-guess/_mapping");
        mapping["fact-guess"]["mappings"]["properties"]["n"]["type"].as_str().map(str::to_owned)
    });
    assert_eq!(guessed, "text");
}

pub(super) fn a_bulk_without_a_newline_at_its_end_is_refused_whole(engine: &Engine) {
    let lines = "{\"create\":{}}\n{\"n\":1}";
    let answer = engine.send(Method::POST, "/fact-newline/_bulk", "application/x-ndjson", lines);
    assert_eq!(answer.status, 400, "{}", answer.text());
}

pub(super) fn a_time_in_seconds_is_taken_for_milliseconds(engine: &Engine) {
    index(engine, "fact-seconds", &json!({ "at": { "type": "date_nanos" } }));
    assert_eq!(statuses(engine, "/fact-seconds/_bulk", "{\"create\":{}}\n{\"at\":1795368571}\n").0, [201]);
    let of_1970 = json!({ "range": { "at": { "lt": "1971-01-01T00:00:00.000Z" } } });
    assert_eq!(engine.hits("fact-seconds", &of_1970), 1);
}

pub(super) fn a_time_outside_1970_to_2262_is_refused(engine: &Engine) {
    index(engine, "fact-times", &json!({ "at": { "type": "date_nanos" } }));
    let lines = ["1969-12-31T23:59:59Z", "2262-04-11T23:47:17Z", "2262-04-11T23:47:16.000000Z"]
        .map(|at| format!("{{\"create\":{{}}}}\n{{\"at\":\"{at}\"}}\n"));
    assert_eq!(statuses(engine, "/fact-times/_bulk", &lines.concat()).0, [400, 400, 201]);
}

pub(super) fn an_attribute_without_a_name_is_taken(engine: &Engine) {
    let any = if engine.is_opensearch() {
        json!({ "type": "object", "enabled": false })
    } else {
        json!({ "type": "flattened" })
    };
    index(engine, "fact-nameless", &json!({ "any": any }));
    assert_eq!(statuses(engine, "/fact-nameless/_bulk", "{\"create\":{}}\n{\"any\":{\"\":\"x\"}}\n").0, [201]);
}

pub(super) fn localhost_is_no_ip(engine: &Engine) {
    index(engine, "fact-ip", &json!({ "ip": { "type": "ip" } }));
    let lines = ["localhost", "127.0.0.1"].map(|ip| format!("{{\"create\":{{}}}}\n{{\"ip\":\"{ip}\"}}\n"));
    assert_eq!(statuses(engine, "/fact-ip/_bulk", &lines.concat()).0, [400, 201]);
}

pub(super) fn a_number_of_64_bits_fits_a_long_only_where_malformed_ones_are_ignored(engine: &Engine) {
    let long = |ignore: bool| json!({ "type": "long", "ignore_malformed": ignore });
    index(engine, "fact-long", &json!({ "strict": long(false), "mild": long(true) }));
    let lines = ["strict", "mild"].map(|field| format!("{{\"create\":{{}}}}\n{{\"{field}\":{}}}\n", u64::MAX));
    assert_eq!(statuses(engine, "/fact-long/_bulk", &lines.concat()).0, [400, 201]);
}

pub(super) fn open_search_refuses_long_values_in_a_flat_object(engine: &Engine) {
    index(engine, "fact-flat", &json!({ "any": { "type": "flat_object" } }));
    let lines = [1_000, 40_000]
        .map(|length| format!("{{\"create\":{{}}}}\n{{\"any\":{{\"k\":\"{}\"}}}}\n", "x".repeat(length)));
    assert_eq!(statuses(engine, "/fact-flat/_bulk", &lines.concat()).0, [201, 400]);
}

pub(super) fn open_search_knows_no_parameter_that_demands_a_data_stream(engine: &Engine) {
    let path = "/fact-demand/_bulk?require_data_stream=true";
    let answer = engine.send(Method::POST, path, "application/x-ndjson", "{\"create\":{}}\n{\"n\":1}\n");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("require_data_stream"), "{}", answer.text());
}

pub(super) fn open_search_knows_no_lifecycle_in_a_template(engine: &Engine) {
    let answer = lifecycle(engine);
    assert_eq!(answer.status, 400, "{}", answer.text());
}

pub(super) fn elasticsearch_knows_a_lifecycle_in_a_template(engine: &Engine) {
    lifecycle(engine).expect_success("a template with a lifecycle");
}

fn lifecycle(engine: &Engine) -> Answer {
    let template = json!({
        "index_patterns": ["fact-kept"], "priority": 501, "data_stream": {},
        "template": { "lifecycle": { "data_retention": "30d" } },
    });
    engine.send(Method::PUT, "/_index_template/fact-kept", "application/json", template.to_string())
}
