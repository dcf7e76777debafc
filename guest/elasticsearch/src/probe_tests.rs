use std::net::TcpListener;

use serde_json::json;

use super::*;
use crate::stub::{Answer, Asked, ELASTICSEARCH, Stub, fault, ok, stands};

fn options(hosts: &[&str], more: &Value) -> Options {
    let mut config = json!({ "hosts": hosts, "index_prefix": "shop" });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Options::try_from(&serde_json::from_value(config).unwrap()).unwrap()
}

/// Question, verdict and answer of each finding.
fn asked(stub: &Stub, more: &Value) -> Vec<(String, Verdict, String)> {
    let findings = findings(&options(&[&stub.url], more));
    assert!(findings.iter().all(|it| (it.verdict == Verdict::Good) == it.fix.is_empty()), "{findings:?}");
    findings.into_iter().map(|it| (it.question, it.verdict, it.answer)).collect()
}

/// The findings that are not good.
fn trouble(
    more: &Value,
    answer: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
) -> Vec<(String, Verdict, String)> {
    let stub = Stub::new(move |asked| answer(asked).unwrap_or_else(|| healthy(asked)));
    asked(&stub, more).into_iter().filter(|(_, verdict, _)| *verdict != Verdict::Good).collect()
}

fn ours(more: &Value) -> String {
    let template = Template::new(&options(&["http://search:9200"], more), Engine::Elasticsearch(8, 19));
    json!({ "index_templates": [{ "name": template.name, "index_template": template.body }] }).to_string()
}

fn healthy(asked: &Asked) -> Answer {
    match asked.what.split('?').next().unwrap() {
        "GET /_cat/health" => ok(json!([{ "epoch": format!("{:.0}", now().floor()) }]).to_string()),
        "GET /_index_template/shop-metricast" => ok(ours(&json!({}))),
        what if what.starts_with("GET /shop-") => ok("{}"),
        _ => stands(ELASTICSEARCH, asked),
    }
}

#[test]
fn where_all_stands_all_is_good_and_nothing_is_changed() {
    let stub = Stub::new(healthy);
    let found = asked(&stub, &json!({ "api_key": "x" }));
    let expected = [
        ("reachable", "yes"),
        ("credentials", "taken"),
        ("version", "Elasticsearch 8.19.0"),
        ("clock", "the same as here within 5 s"),
        ("template", "shop-metricast is there"),
        ("stream", "a data stream"),
        ("blocks", "none"),
        ("stream", "a data stream"),
        ("blocks", "none"),
    ];
    assert_eq!(found, expected.map(|(question, answer)| (question.into(), Verdict::Good, answer.into())));
    let changing = |it: &Asked| !it.what.starts_with("GET ") && !it.what.contains("/_simulate_index/");
    assert!(!stub.asked().iter().any(changing), "{:?}", stub.asked());
}

#[test]
fn each_host_is_asked_by_itself() {
    let stub = Stub::new(healthy);
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let findings = findings(&options(&[&closed, &stub.url], &json!({})));
    let of = |host: &str| {
        findings.iter().filter(|it| it.of == host).map(|it| (it.question.as_str(), it.verdict)).collect::<Vec<_>>()
    };
    assert_eq!(of(&closed), [("reachable", Verdict::Warning)], "the other one is there");
    assert_eq!(of(&stub.url)[..2], [("reachable", Verdict::Good), ("credentials", Verdict::Good)]);
    assert_eq!(of("shop-event"), [("stream", Verdict::Good), ("blocks", Verdict::Good)]);
}

#[test]
fn each_fault_is_told_by_its_question() {
    let root = |answer: Answer| move |it: &Asked| (it.what == "GET /").then(|| answer.clone());
    for (answer, question, told) in [
        (
            fault(401, "security_exception", "missing authentication credentials"),
            "credentials",
            "GET /: 401 security_exception",
        ),
        (ok("<html>It works!</html>"), "server", "hosts: what answers is neither"),
        (ok(r#"{"version":{"number":"6.8.0"}}"#), "server", "hosts: Elasticsearch 6.8 is too old"),
    ] {
        let found = trouble(&json!({}), root(answer));
        assert!(found.len() == 1 && found[0].0 == question && found[0].1 == Verdict::Bad, "{found:?}");
        assert!(found[0].2.starts_with(told), "{found:?}");
    }
    let old = root(ok(r#"{"version":{"number":"7.17.0"}}"#));
    let found = trouble(&json!({ "retention": "30d" }), old);
    assert!(
        found[0].0 == "retention" && found[0].2.starts_with("retention: not available on Elasticsearch 7.17"),
        "{found:?}"
    );
}

#[test]
fn a_clock_that_is_wrong_is_a_warning() {
    let date =
        |date: &'static str| move |it: &Asked| (it.what == "GET /").then(|| (200, date, ELASTICSEARCH.to_owned()));
    let found = trouble(&json!({}), date("Date: Sun, 22 Nov 2020 17:29:31 GMT\r\n"));
    assert!(
        found[0].0 == "clock" && found[0].1 == Verdict::Warning && found[0].2.ends_with("ahead of the server"),
        "{found:?}"
    );
    let found = trouble(&json!({}), date("Date: Sun, 22 Nov 2099 17:29:31 GMT\r\n"));
    assert!(found[0].2.ends_with("behind the server"), "{found:?}");
    let silent =
        trouble(&json!({}), |it| it.what.starts_with("GET /_cat/").then(|| fault(403, "security_exception", "no")));
    assert_eq!((silent.len(), silent[0].0.as_str(), silent[0].1), (1, "clock", Verdict::Unknown));
}

#[test]
fn the_template_is_told_as_it_is() {
    let at =
        |answer: Answer| move |it: &Asked| it.what.starts_with("GET /_index_template/shop-").then(|| answer.clone());
    let by_hand = json!({ "manage_template": false });
    let missing = || at(fault(404, "resource_not_found_exception", "x"));
    assert_eq!(trouble(&json!({}), missing()), []);
    let bad = |told: &str| vec![("template".to_owned(), Verdict::Bad, told.to_owned())];
    assert_eq!(trouble(&by_hand, missing()), bad("shop-metricast is missing"));
    let warning = |told: &str| vec![("template".to_owned(), Verdict::Warning, told.to_owned())];
    let other = || at(ok(ours(&json!({ "retention": "7d" }))));
    assert_eq!(trouble(&json!({}), other()), []);
    assert_eq!(trouble(&by_hand, other()), warning("shop-metricast is of another config or version"));
    let edited = ours(&json!({})).replace("501", "502");
    assert_eq!(
        trouble(&json!({}), at(ok(edited))),
        warning("shop-metricast differs from what metricast puts: priority")
    );
    let foreign = r#"{"index_templates":[{"index_template":{}}]}"#;
    assert_eq!(
        trouble(&json!({}), at(ok(foreign))),
        warning("shop-metricast is not of metricast's making, and is left as it is")
    );
    let forbidden = || at(fault(403, "security_exception", "no"));
    assert_eq!(trouble(&json!({}), forbidden())[0].1, Verdict::Bad);
    assert_eq!(trouble(&by_hand, forbidden())[0].1, Verdict::Unknown);
    let over = trouble(&json!({}), |it| match it.what.as_str() {
        what if what.contains("/_simulate_index/") => {
            Some(ok(r#"{"template":{},"overlapping":[{"name":"shop-metricast"}]}"#))
        }
        what if what.starts_with("GET /_index_template?") => Some(ok(
            r#"{"index_templates":[{"name":"over","index_template":{"index_patterns":["shop*"],"priority":900}},{"name":"shop-metricast","index_template":{"index_patterns":["shop-event"],"priority":501}}]}"#,
        )),
        _ => None,
    });
    let told = "index_prefix: the index template \"over\" takes shop-event before ours, \"shop-metricast\": lower its priority or narrow its patterns";
    let expected = [("template in force".to_owned(), Verdict::Bad, told.to_owned())];
    assert_eq!(over, expected);
    let of_stream = trouble(&json!({}), |it| match it.what.as_str() {
        what if what.contains("/_simulate_index/") => {
            Some(fault(500, "illegal_state_exception", "conflicts with index"))
        }
        "GET /_data_stream/shop-event" => Some(ok(r#"{"data_streams":[{"template":"over"}]}"#)),
        _ => None,
    });
    assert_eq!(of_stream, expected, "OpenSearch does not simulate the name of a stream that is there");
}

#[test]
fn what_stands_where_a_stream_must_be_and_blocks_are_told() {
    let resolve =
        |body: &'static str| move |it: &Asked| (it.what == "GET /_resolve/index/shop-event").then(|| ok(body));
    let told = |found: Vec<(String, Verdict, String)>| {
        found.into_iter().map(|(_, verdict, answer)| (verdict, answer)).collect::<Vec<_>>()
    };
    let plain = (Verdict::Bad, "a plain index, where a data stream must be".to_owned());
    assert_eq!(told(trouble(&json!({}), resolve(r#"{"indices":[{}]}"#))), [plain]);
    assert_eq!(told(trouble(&json!({}), resolve("{}"))), []);
    let blocked = trouble(&json!({}), |it| {
        let settings =
            r#"{".ds-a":{"settings":{"index.blocks.read_only_allow_delete":"true","index.blocks.read":"false"}}}"#;
        it.what.starts_with("GET /shop-network/_settings/").then(|| ok(settings))
    });
    assert_eq!(told(blocked), [(Verdict::Bad, "index.blocks.read_only_allow_delete".to_owned())]);
}
