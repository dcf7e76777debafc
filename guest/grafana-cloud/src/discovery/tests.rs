use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::options::Config;
use crate::place::Place;
use crate::stub::{Answer, Asked, Stub, plain};

/// The shape of public documentation, less what nobody reads.
fn stack(slug: &str, region: &str, cluster: &str) -> Value {
    json!({
        "id": 7303, "orgId": 52992, "orgSlug": "acme", "type": "grafana", "name": format!("{slug}.grafana.net"),
        "url": format!("https://{slug}.grafana.net"), "slug": slug, "status": "active", "updatedAt": null,
        "clusterSlug": cluster, "regionSlug": region, "datasourceCnts": {}, "ssl": true,
        "hmInstancePromId": 715_391, "hmInstancePromUrl": "https://prometheus-us-central1.grafana.net",
        "hmInstancePromStatus": "active", "hlInstanceId": 356_665, "hlInstanceUrl": "https://logs-prod-017.grafana.net",
        "links": [{ "rel": "self", "href": format!("/instances/{slug}") }],
    })
}

fn stacks(stacks: &[Value]) -> Value {
    json!({ "items": stacks, "orderBy": "name", "direction": "asc", "total": stacks.len(), "pages": 1, "page": 1 })
}

fn regions() -> Value {
    let region =
        |slug: &str| json!({ "id": 1, "slug": slug, "name": "a name", "status": "active", "visibility": "public" });
    json!({ "items": [region("us"), region("eu"), region("prod-eu-west-2")] })
}

fn ok(body: &Value) -> Answer {
    (200, "Content-Type: application/json\r\n".to_owned(), body.to_string().into_bytes())
}

fn not_found() -> Answer {
    plain(404, r#"{"code":"NotFound","message":"Not found","requestId":"1"}"#)
}

/// An API that knows these paths.
fn api(answers: &[(&str, Answer)]) -> Stub {
    let answers: Arc<Vec<(String, Answer)>> =
        Arc::new(answers.iter().map(|(path, answer)| (format!("GET /api{path}"), answer.clone())).collect());
    Stub::new(move |asked: &Asked| {
        let known = answers.iter().find(|(what, _)| *what == asked.what);
        known.map_or_else(not_found, |(_, answer)| answer.clone())
    })
}

fn ask(api: &Stub, config: &Value) -> Result<Target, PublishError> {
    let mut config = config.clone();
    config["api"] = json!(format!("{}/api", api.url));
    config["api_key"] = json!("glc_token");
    let config: Config = serde_json::from_value(config).unwrap();
    let options = config.options(config.signal().unwrap()).unwrap();
    let Place::ToFind(question) = &options.place else { panic!("{:?} is written", options.place) };
    find(&options, question, Deadline::new())
}

fn asked_of(api: &Stub, config: &Value) -> (String, String) {
    let target = ask(api, config).unwrap();
    (target.url.to_string(), target.user.unwrap())
}

fn pair(url: &str, user: &str) -> (String, String) {
    (url.to_owned(), user.to_owned())
}

#[test]
fn the_one_stack_of_an_organisation_is_found() {
    let api = api(&[("/orgs/acme/instances", ok(&stacks(&[stack("shop", "us", "prod-us-central-0")])))]);
    let metrics = pair("https://prometheus-us-central1.grafana.net/api/prom/push", "715391");
    assert_eq!(asked_of(&api, &json!({ "org_slug": "acme" })), metrics);
    assert_eq!(asked_of(&api, &json!({ "org_slug": "acme", "region": "US" })), metrics);
    assert_eq!(asked_of(&api, &json!({ "org_slug": "acme", "region": "prod-us-central-0" })), metrics);
    let logs = pair("https://logs-prod-017.grafana.net/loki/api/v1/push", "356665");
    assert_eq!(asked_of(&api, &json!({ "org_slug": "acme", "signals": ["logs"] })), logs);
    assert!(api.asked().iter().all(|asked| asked.header("authorization") == Some("Bearer glc_token")));
}

#[test]
fn a_region_tells_one_stack_from_others_and_several_are_listed() {
    let both = [stack("shop", "us", "prod-us-central-0"), stack("shop-eu", "eu", "prod-eu-west-0")];
    let api = api(&[("/orgs/acme/instances", ok(&stacks(&both))), ("/stack-regions", ok(&regions()))]);
    assert!(ask(&api, &json!({ "org_slug": "acme", "region": "eu" })).is_ok());
    let error = ask(&api, &json!({ "org_slug": "acme" })).unwrap_err();
    let several = "stack_slug: is missing, and the organisation acme has several stacks: shop (us), shop-eu (eu)";
    assert_eq!(error, PublishError::Misconfigured(several.to_owned()));
    let error = ask(&api, &json!({ "org_slug": "acme", "region": "prod-eu-west-2" })).unwrap_err().to_string();
    assert_eq!(error, "region: the organisation acme has no stack in prod-eu-west-2: it has shop (us), shop-eu (eu)");
    let error = ask(&api, &json!({ "org_slug": "acme", "region": "europe" })).unwrap_err().to_string();
    let no_region = "region: there is no region europe, there are us, eu, prod-eu-west-2; the organisation acme has no stack \
                     in europe: it has shop (us), shop-eu (eu)";
    assert_eq!(error, no_region);
}

#[test]
fn an_organisation_without_a_stack_and_none_at_all_are_told() {
    let deleted = json!({ "slug": "old", "status": "deleted" });
    let api = api(&[("/orgs/acme/instances", ok(&stacks(&[deleted])))]);
    let error = ask(&api, &json!({ "org_slug": "acme" })).unwrap_err().to_string();
    assert!(error.starts_with("org_slug: the organisation acme has no stack that the token may see"), "{error}");
    let error = ask(&api, &json!({ "org_slug": "acne" })).unwrap_err().to_string();
    assert!(error.starts_with("org_slug: Grafana Cloud knows no organisation acne"), "{error}");
}

#[test]
fn a_token_that_may_not_ask_is_told_which_keys_to_write_and_where_they_stand() {
    for (status, expected) in [(401, "is not valid here"), (403, "Give its access policy the scope stacks:read beside")]
    {
        let body = r#"{"code":"InvalidCredentials","message":"Token invalid"}"#;
        let api =
            api(&[("/orgs/acme/instances", plain(status, body)), ("/v1/stacks/shop/connections", plain(status, body))]);
        for config in [json!({ "org_slug": "acme" }), json!({ "stack_slug": "shop" })] {
            let PublishError::Unauthorized(told) = ask(&api, &config).unwrap_err() else { panic!("{status}") };
            for part in [
                expected,
                "Token invalid",
                "write endpoint and instance_id, which are at grafana.com in the stack's Details, in the tile Prometheus",
            ] {
                assert!(told.contains(part), "{told}");
            }
        }
        let PublishError::Unauthorized(told) =
            ask(&api, &json!({ "org_slug": "acme", "signals": ["logs"] })).unwrap_err()
        else {
            panic!("{status}")
        };
        assert!(told.contains("logs.endpoint and logs.instance_id") && told.contains("tile Loki"), "{told}");
    }
}

#[test]
fn a_stack_that_sleeps_is_told_how_to_wake_it() {
    for (status, expected) in [("paused", "open https://shop.grafana.net to wake it"), ("restoring", "is restoring")] {
        let mut asleep = stack("shop", "us", "prod-us-central-0");
        asleep["status"] = json!(status);
        let api = api(&[("/orgs/acme/instances", ok(&stacks(&[asleep.clone()]))), ("/instances/shop", ok(&asleep))]);
        for config in [json!({ "org_slug": "acme" }), json!({ "stack_slug": "shop" })] {
            let PublishError::Unavailable { reason, .. } = ask(&api, &config).unwrap_err() else { panic!("{status}") };
            assert!(reason.contains(expected), "{reason}");
        }
    }
}

#[test]
fn a_stack_is_asked_for_its_connections_first() {
    let connections = json!({
        "tenants": [
            { "type": "prometheus", "id": 715_391, "url": "https://prometheus-prod-13.grafana.net" },
            { "type": "logs", "id": 356_665, "url": "https://logs-prod-006.grafana.net" },
        ],
        "otlp": {},
    });
    let api = api(&[("/v1/stacks/shop/connections", ok(&connections))]);
    let metrics = pair("https://prometheus-prod-13.grafana.net/api/prom/push", "715391");
    assert_eq!(asked_of(&api, &json!({ "stack_slug": "shop", "org_slug": "acme" })), metrics);
    let logs = pair("https://logs-prod-006.grafana.net/loki/api/v1/push", "356665");
    assert_eq!(asked_of(&api, &json!({ "stack_slug": "shop", "signals": ["logs"] })), logs);
    assert_eq!(api.asked().len(), 2);
}

#[test]
fn a_stack_itself_says_what_its_connections_do_not() {
    let older = json!({ "privateConnectivityInfo": { "tenants": [{ "type": "prometheus", "id": 7 }] },
                        "otlpHttpUrl": "https://otlp-gateway-prod-us-east-0.grafana.net" });
    let api = api(&[
        ("/instances/shop/connections", ok(&older)),
        ("/instances/shop", ok(&stack("shop", "us", "prod-us-central-0"))),
    ]);
    let metrics = pair("https://prometheus-us-central1.grafana.net/api/prom/push", "715391");
    assert_eq!(asked_of(&api, &json!({ "stack_slug": "shop" })), metrics);
    let otlp = pair("https://otlp-gateway-prod-us-east-0.grafana.net/otlp/v1/metrics", "7303");
    assert_eq!(asked_of(&api, &json!({ "stack_slug": "shop", "protocol": "otlp" })), otlp, "OTLP's user is the stack");
    let error = ask(&api, &json!({ "stack_slug": "shop", "region": "eu" })).unwrap_err().to_string();
    assert!(error.starts_with("region: the stack shop (us) is not in eu"), "{error}");
    let error = ask(&api, &json!({ "stack_slug": "shed" })).unwrap_err().to_string();
    assert!(error.starts_with("stack_slug: Grafana Cloud knows no stack shed"), "{error}");
}

#[test]
fn a_stack_without_an_address_of_otlp_names_the_keys() {
    let with = |otlp: Value| {
        let connections = json!({ "tenants": [], "otlp": otlp });
        let found = stack("shop", "us", "prod-us-central-0");
        let answers = [
            ("/orgs/acme/instances", ok(&stacks(std::slice::from_ref(&found)))),
            ("/v1/stacks/shop/connections", ok(&connections)),
            ("/instances/shop", ok(&found)),
        ];
        ask(&api(&answers), &json!({ "org_slug": "acme", "protocol": "otlp" }))
    };
    for missing in [json!({}), json!({ "url": "" }), Value::Null] {
        let error = with(missing).unwrap_err().to_string();
        assert!(
            error.contains("does not say where the stack shop takes OTLP: write endpoint and instance_id"),
            "{error}"
        );
        assert!(error.contains("or use protocol = \"remote-write\""), "{error}");
    }
    let found = with(json!({ "url": "https://otlp-gateway-prod-us-east-0.grafana.net/otlp" })).unwrap();
    assert_eq!(found.url.as_str(), "https://otlp-gateway-prod-us-east-0.grafana.net/otlp/v1/metrics");
}

#[test]
fn what_an_answer_names_is_used_only_where_the_token_may_go() {
    let naming = |url: &str| {
        let mut stack = stack("shop", "us", "prod-us-central-0");
        stack["hmInstancePromUrl"] = json!(url);
        ask(&api(&[("/orgs/acme/instances", ok(&stacks(&[stack])))]), &json!({ "org_slug": "acme" }))
    };
    assert!(naming("http://127.0.0.1:1/api/v1/push").is_ok(), "the host of an API that the user wrote");
    for bad in [
        "http://prometheus.grafana.net",
        "https://grafana.net.evil.com",
        "https://evilgrafana.net",
        "https://prometheus.grafana.net@evil.com",
        "https://user:word@prometheus.grafana.net",
        "https://prometheus.grafana.net:8443",
        "https://evil.com/?prometheus.grafana.net",
        "https://evil.com#.grafana.net",
        "https://evil.com\\.grafana.net",
        "file:///etc/passwd",
        "prometheus.grafana.net",
    ] {
        let error = naming(bad).unwrap_err();
        assert!(matches!(error, PublishError::Misconfigured(_)), "{bad}: {error:?}");
        assert!(
            error.to_string().contains(bad) && error.to_string().contains("write endpoint and instance_id"),
            "{error}"
        );
    }
}

#[test]
fn a_redirect_is_not_followed_and_what_is_no_api_is_told() {
    let elsewhere = Stub::new(|_| ok(&stacks(&[stack("shop", "us", "prod-us-central-0")])));
    let moved = (302, format!("Location: {}/api/orgs/acme/instances\r\n", elsewhere.url), Vec::new());
    let error = ask(&api(&[("/orgs/acme/instances", moved)]), &json!({ "org_slug": "acme" })).unwrap_err();
    assert!(
        matches!(&error, PublishError::Unavailable { reason, .. } if reason.contains("redirects are not followed"))
    );
    assert_eq!(elsewhere.asked().len(), 0);
    let page = api(&[("/orgs/acme/instances", plain(200, "<html>Grafana</html>"))]);
    let error = ask(&page, &json!({ "org_slug": "acme" })).unwrap_err().to_string();
    assert!(error.starts_with("api: the answer to GET http://127.0.0.1"), "{error}");
}

#[test]
fn an_api_that_is_busy_is_asked_again_when_it_wants() {
    for status in [429, 500, 503] {
        let busy = (status, "Retry-After: 7\r\n".to_owned(), Vec::new());
        let error = ask(&api(&[("/orgs/acme/instances", busy)]), &json!({ "org_slug": "acme" })).unwrap_err();
        assert!(matches!(error, PublishError::Unavailable { retry_after_ms: Some(7000), .. }), "{error:?}");
    }
}
