use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Result<Engine, PublishError> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Engine::of_response(&Response { status, headers, body: body.as_bytes().to_vec() })
}

fn root(body: &str) -> Engine {
    answer(200, &[], body).unwrap()
}

const PRODUCT: (&str, &str) = ("x-elastic-product", "Elasticsearch");

#[test]
fn servers_are_told_apart() {
    assert_eq!(root(r#"{"name":"","version":{"distribution":"opensearch","number":"2.19.4"}}"#), Engine::OpenSearch);
    let disguised = r#"{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}"#;
    assert_eq!(root(disguised), Engine::OpenSearch);
    let elasticsearch = r#"{"name":"a","version":{"number":"8.19.0","build_flavor":"default"}}"#;
    assert_eq!(answer(200, &[PRODUCT], elasticsearch), Ok(Engine::Elasticsearch(8, 19)));
    assert_eq!(root(elasticsearch), Engine::Elasticsearch(8, 19), "a proxy took the header away");
    assert_eq!(root(r#"{"version":{"number":"8.11.0","build_flavor":"serverless"}}"#), Engine::Serverless);
}

#[test]
fn who_may_not_ask_or_has_nothing_at_the_root_is_a_server_all_the_same() {
    let handler = r#"{"error":"no handler found for uri [/] and method [GET]"}"#;
    assert_eq!(answer(400, &[], handler), Ok(Engine::Unknown));
    assert_eq!(answer(400, &[PRODUCT], handler), Ok(Engine::Elasticsearch(0, 0)));
    let forbidden = r#"{"error":{"type":"security_exception","reason":"no permissions"},"status":403}"#;
    assert_eq!(answer(403, &[], forbidden), Ok(Engine::Unknown));
}

#[test]
fn a_stranger_is_told_from_a_server_that_is_away() {
    for body in ["<html>It works!</html>", "{}", r#"{"status":"ok"}"#, ""] {
        let told = answer(200, &[], body);
        let Err(PublishError::Misconfigured(text)) = told else { panic!("{told:?}") };
        assert!(
            text.starts_with("hosts: what answers is neither Elasticsearch nor OpenSearch: GET / is 200 "),
            "{text}"
        );
    }
    for status in [400, 404, 405] {
        let told = answer(status, &[], "<html>default backend</html>").unwrap_err();
        assert!(
            matches!(&told, PublishError::Unavailable { reason, .. } if reason.contains("belongs into hosts")),
            "{told}"
        );
    }
    assert!(matches!(answer(403, &[], "<html>Forbidden</html>"), Err(PublishError::Unauthorized(_))));
    assert!(matches!(answer(401, &[], ""), Err(PublishError::Unauthorized(_))));
    assert!(matches!(answer(502, &[], ""), Err(PublishError::Unavailable { .. })));
    assert!(matches!(answer(302, &[("location", "/login")], ""), Err(PublishError::Unavailable { .. })));
}

#[test]
fn one_that_is_too_old_says_which_is_not() {
    let told = answer(200, &[PRODUCT], r#"{"version":{"number":"6.8.23"}}"#).unwrap_err().to_string();
    assert_eq!(told, "hosts: Elasticsearch 6.8 is too old: 7.17 or newer is needed, or OpenSearch");
    assert_eq!(root(r#"{"version":{"number":"7.17.29"}}"#), Engine::Elasticsearch(7, 17));
}

#[test]
fn only_who_knows_a_thing_gets_it() {
    for (engine, requires, lifecycle) in [
        (Engine::Elasticsearch(9, 0), true, true),
        (Engine::Elasticsearch(8, 13), true, true),
        (Engine::Elasticsearch(8, 12), false, true),
        (Engine::Elasticsearch(8, 10), false, false),
        (Engine::Elasticsearch(7, 17), false, false),
        (Engine::Elasticsearch(0, 0), false, false),
        (Engine::Serverless, true, true),
        (Engine::OpenSearch, false, false),
        (Engine::Unknown, false, false),
    ] {
        assert_eq!((engine.can_require_data_stream(), engine.has_lifecycle()), (requires, lifecycle), "{engine}");
    }
}
