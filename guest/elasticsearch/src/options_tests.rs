use metricast_sdk::config;
use serde_json::{Value, json};

use super::*;
use crate::ElasticsearchPublisher;

fn parsed(config: &Value) -> Result<Config, String> {
    config::parse::<ElasticsearchPublisher>(&config.to_string()).map_err(|error| error.to_string())
}

/// What is wrong with a good config that has this besides or instead.
fn fault(changes: &Value) -> String {
    let mut config = json!({ "hosts": ["http://search:9200"], "index_prefix": "shop" });
    let changes = changes.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(changes);
    parsed(&config).unwrap_err()
}

fn options(config: &Value) -> Options {
    Options::try_from(&parsed(config).unwrap()).unwrap()
}

#[test]
fn every_default_is_the_one_that_the_schema_states() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let properties = &schema["properties"];
    let least = json!({ "hosts": ["http://search:9200"], "index_prefix": "shop" });
    let mut stated = least.clone();
    let with_default = properties.as_object().unwrap().iter().filter_map(|(key, of)| Some((key, of.get("default")?)));
    for (key, default) in with_default {
        stated[key] = default.clone();
    }
    assert_eq!(stated.as_object().unwrap().len(), 7, "{stated}");
    assert_eq!(parsed(&stated), parsed(&least));
    let namespace = &properties["data_stream"]["properties"]["namespace"]["default"];
    assert_eq!(namespace, DataStream::default().namespace.as_str());
    assert!(properties.as_object().unwrap().values().all(|key| key["description"].is_string()));
    assert_eq!(properties["hosts"]["items"]["format"], "uri");
}

#[test]
fn a_whole_config_is_taken() {
    let options = options(&json!({
        "hosts": ["https://a:9200/", "https://b/search"], "index_prefix": "shop", "api_key": "bWV0cmljYXN0",
        "service": "checkout", "host": "web-1",
    }));
    assert_eq!(options.hosts, ["https://a:9200", "https://b/search"]);
    assert_eq!(options.authorization.unwrap().expose(), "ApiKey bWV0cmljYXN0");
    assert_eq!(options.layout.streams(), ["shop-event", "shop-network"]);
    assert_eq!(options.layout.patterns(), ["shop-event", "shop-network"]);
    assert_eq!(options.layout.template(), "shop-metricast");
}

#[test]
fn bodies_are_compressed_where_they_leave_this_machine() {
    for (hosts, written, gzip) in [
        (json!(["http://127.0.0.1:9200"]), None, false),
        (json!(["http://127.0.0.1:9200", "http://search:9200"]), None, true),
        (json!(["https://search:9200"]), Some("none"), false),
        (json!(["http://localhost:9200"]), Some("gzip"), true),
    ] {
        let mut config = json!({ "hosts": hosts, "index_prefix": "shop" });
        if let Some(written) = written {
            config["compression"] = json!(written);
        }
        assert_eq!(options(&config).gzip, gzip, "{config}");
    }
}

#[test]
fn each_credential_has_its_scheme() {
    for (key, scheme) in [("api_key", "ApiKey"), ("basic", "Basic"), ("bearer", "Bearer")] {
        let mut config = json!({ "hosts": ["http://search:9200"], "index_prefix": "shop" });
        config[key] = json!("{placeholder:1}");
        assert_eq!(options(&config).authorization.unwrap().expose(), format!("{scheme} {{placeholder:1}}"));
    }
}

#[test]
fn a_credential_is_not_shown() {
    let config =
        parsed(&json!({ "hosts": ["http://search:9200"], "index_prefix": "shop", "bearer": "hidden" })).unwrap();
    assert!(!format!("{config:?} {:?}", Options::try_from(&config).unwrap()).contains("hidden"));
}

#[test]
fn days_and_elastics_scheme_have_their_names() {
    let daily = options(&json!({ "hosts": ["http://search:9200"], "index_prefix": "shop", "indices": "daily" })).layout;
    assert!(daily.daily && daily.streams().is_empty());
    assert_eq!(daily.patterns(), ["shop-event-*.*.*", "shop-network-*.*.*"]);
    assert_eq!(daily.template(), "shop-daily-metricast");

    let scheme =
        json!({ "hosts": ["http://search:9200"], "index_prefix": "shop", "data_stream": { "namespace": "prod" } });
    let scheme = options(&scheme).layout;
    assert_eq!(scheme.streams(), ["logs-shop.event-prod", "logs-shop.network-prod"]);
    assert_eq!(scheme.template(), "logs-shop-prod-metricast");
}

#[test]
fn hosts_and_names_that_cannot_be_say_what_could() {
    for (changes, expected) in [
        (json!({ "hosts": [] }), "hosts: needs at least one, such as https://search:9200"),
        (
            json!({ "hosts": ["http://search:9200", "localhost:9200"] }),
            "hosts[1]: needs a scheme, such as https://localhost:9200",
        ),
        (json!({ "index_prefix": "" }), "index_prefix: is empty"),
        (json!({ "index_prefix": "Shop" }), "index_prefix: index names are lower case: write \"shop\""),
        (
            json!({ "index_prefix": "a/b" }),
            "index_prefix: has '/' in it: an index name is made of a-z, 0-9, \"-\", \"_\" and \".\"",
        ),
        (
            json!({ "index_prefix": "_shop" }),
            "index_prefix: begins with \"_\": an index name begins with a letter or a digit",
        ),
        (json!({ "index_prefix": "a".repeat(201) }), "index_prefix: has 201 bytes: at most 200 fit into an index name"),
        (
            json!({ "index_prefix": "logs-shop" }),
            "index_prefix: logs-shop-event falls under logs-*-*, a template of Elasticsearch's own: choose another \
             prefix, or name the streams with data_stream = { dataset = \"…\", namespace = \"…\" }",
        ),
    ] {
        assert_eq!(fault(&changes), expected);
    }
}

#[test]
fn keys_that_do_not_go_together_are_named() {
    for (changes, expected) in [
        (
            json!({ "data_stream": {}, "indices": "daily" }),
            "data_stream: names data streams, and indices = \"daily\" makes plain indices: keep one of them",
        ),
        (
            json!({ "data_stream": { "dataset": "my-shop" } }),
            "data_stream.dataset: \"my-shop\" has a dash in it, which separates the parts of a stream's name: write \
             \"my_shop\"",
        ),
        (
            json!({ "basic": "x", "bearer": "y" }),
            "bearer: there is basic already, and a request has one Authorization header: keep one of them",
        ),
        (json!({ "api_key": "a\nb" }), "api_key: is one line of visible ASCII characters"),
        (json!({ "service": "" }), "service: is empty: leave the key out"),
        (
            json!({ "max_body": "10 MB" }),
            "max_body: \"10 MB\" is no size: write a number of bytes, or a size such as \"10MB\" or \"8MiB\"",
        ),
        (json!({ "max_body": 10 }), "max_body: 10 bytes have no room for a document: at least 1000"),
        (
            json!({ "retention": "1 month" }),
            "retention: \"1 month\" is no time: write days or hours, such as \"30d\" or \"12h\"",
        ),
        (json!({ "compression": "zstd" }), r#"compression: "zstd" is none of "none" or "gzip""#),
        (json!({ "labels": { "a": "" } }), "labels.a: is empty: leave the key out"),
        (
            json!({ "labels": { "a": 7 } }),
            "labels.a: invalid type: integer `7`, expected a text, or an attribute as { attribute = \"tenant\" }",
        ),
        (
            json!({ "labels": { "a": { "atribute": "x" } } }),
            "labels.a.atribute: unknown field `atribute`, expected one of `attribute`, `allow`, `max`",
        ),
        (
            json!({ "labels": { "a.b": "x", "a_b": "y" } }),
            "labels.a_b: both it and \"a.b\" are labels.a_b in a document: name one otherwise",
        ),
        (
            json!({ "labels": { "a": { "attribute": "x" }, "b": { "attribute": "x" } } }),
            "labels.b: the attribute \"x\" is labels.a already",
        ),
        (json!({ "labels": { "a": { "attribute": "" } } }), "labels.a: attribute is empty: write the key of one"),
        (json!({ "labels": { "": "x" } }), "labels.: a label has a name, without a NUL"),
        (json!({ "indices": "weekly" }), r#"indices: "weekly" is none of "data_streams" or "daily""#),
        (json!({ "index_prefx": "a" }), "index_prefx: unknown key; did you mean `index_prefix`?"),
    ] {
        assert_eq!(fault(&changes), expected);
    }
}

#[test]
fn index_names_have_none_of_what_the_servers_refuse() {
    for bad in
        ["a b", "a,b", "a#b", "a*b", "a?b", "a\"b", "a<b", "a>b", "a|b", "a\\b", "a:b", "ä", "+a", "-a", ".a", "."]
    {
        assert!(fault(&json!({ "index_prefix": bad })).starts_with("index_prefix: "), "{bad}");
    }
}

#[test]
fn the_page_about_the_plugin_tells_each_option_and_default() {
    let page = include_str!("../../../docs/elasticsearch.md");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    for (key, of) in schema["properties"].as_object().unwrap() {
        let row = rows.iter().find(|row| row.split('|').nth(1).unwrap().contains(&format!("`{key}`")));
        let row = row.unwrap_or_else(|| panic!("{key} is not on the page"));
        let default = of.get("default").map(|default| format!("`{default}`")).unwrap_or_default();
        assert!(row.contains(&default), "{key}: {default} is not in {row}");
    }
}
