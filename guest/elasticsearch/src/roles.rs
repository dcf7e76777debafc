//! What metricast's user must be allowed to do, as text to paste. Without I/O, so for each server its own form.

use metricast_sdk::Snippet;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::options::Options;
use crate::template::Template;

/// A server that knows all that a template can say.
const NEWEST: Engine = Engine::Elasticsearch(9, 0);

/// All there is for a config.
pub(crate) fn snippets(options: &Options) -> Vec<Snippet> {
    let name = options.layout.template();
    let manages = options.manage_template;
    let does = if manages { "puts the template and writes" } else { "writes; a person puts the template" };
    let about = format!(
        "Elasticsearch, an API key that {does}: the body of POST /_security/api_key; `encoded` goes into api_key"
    );
    let key = json!({ "name": name, "role_descriptors": { name.as_str(): elasticsearch(options, manages) } });
    let mut snippets = roles(options, ["role", "role-opensearch"], manages, does);
    snippets.push(snippet("api-key", about, &key));
    if manages {
        let does = "only writes, enough with manage_template = false";
        snippets.extend(roles(options, ["role-writer", "role-writer-opensearch"], false, does));
    }
    for (called, server, engine) in
        [("template", "Elasticsearch", NEWEST), ("template-opensearch", "OpenSearch", Engine::OpenSearch)]
    {
        let Template { name, body } = Template::new(options, engine);
        let about = format!("{server}, the template that is put: the body of PUT /_index_template/{name}");
        snippets.push(snippet(called, about, &body));
    }
    snippets
}

/// A role in the form of each server.
fn roles(options: &Options, called: [&'static str; 2], manages: bool, does: &str) -> Vec<Snippet> {
    let name = options.layout.template();
    let elastic = format!("Elasticsearch, a role that {does}: the body of PUT /_security/role/{name}");
    let open = format!("OpenSearch, a role that {does}: the body of PUT /_plugins/_security/api/roles/{name}");
    vec![
        snippet(called[0], elastic, &elasticsearch(options, manages)),
        snippet(called[1], open, &opensearch(options, manages)),
    ]
}

fn snippet(name: &'static str, about: String, body: &Value) -> Snippet {
    Snippet { name, about, text: format!("{body:#}\n") }
}

/// The indices that documents go to, as roles name them.
fn names(options: &Options) -> Vec<String> {
    let dated = if options.layout.daily { "-*" } else { "" };
    [&options.layout.event, &options.layout.network].map(|name| format!("{name}{dated}")).to_vec()
}

/// A role of Elasticsearch
/// (<https://www.elastic.co/guide/en/elasticsearch/reference/current/security-privileges.html>).
fn elasticsearch(options: &Options, manages: bool) -> Value {
    let mut cluster = vec!["monitor"];
    // What writes, what makes the stream or index with its first document, and what tells of which kind it is.
    let mut privileges = vec!["create_doc", "auto_configure", "view_index_metadata"];
    if !options.layout.daily {
        // Records in doubt are looked for: a refresh, and a search by ids.
        privileges.extend(["maintenance", "read"]);
    }
    if manages {
        cluster.push("manage_index_templates");
        if options.retention.is_some() {
            privileges.push("manage_data_stream_lifecycle");
        }
    }
    json!({ "cluster": cluster, "indices": [{ "names": names(options), "privileges": privileges }] })
}

/// What writes, what makes the index with its first document, and what tells of which kind it is.
const WRITES: [&str; 7] = [
    "indices:data/write/index",
    "indices:data/write/bulk*",
    "indices:admin/create",
    "indices:admin/mapping/put",
    "indices:admin/auto_create",
    "indices:admin/resolve/index",
    "indices:monitor/settings/get",
];
/// What makes data streams, and looks for records in doubt.
const STREAMS: [&str; 4] = [
    "indices:admin/data_stream/create",
    "indices:admin/data_stream/get",
    "indices:admin/refresh*",
    "indices:data/read/search*",
];
/// For the whole cluster.
const TEMPLATES: [&str; 3] = [
    "indices:admin/index_template/get",
    "indices:admin/index_template/put",
    "indices:admin/index_template/simulate_index",
];
/// For the whole cluster.
const POLICIES: [&str; 4] = [
    "cluster:admin/opendistro/ism/policy/get",
    "cluster:admin/opendistro/ism/policy/write",
    "cluster:admin/opendistro/ism/managedindex/add",
    "cluster:admin/opendistro/ism/managedindex/change",
];

/// A role of OpenSearch's security plugin
/// (<https://docs.opensearch.org/latest/security/access-control/permissions/>).
fn opensearch(options: &Options, manages: bool) -> Value {
    let mut cluster = vec!["cluster:monitor/main", "cluster:monitor/health", "indices:data/write/bulk"];
    let mut actions = WRITES.to_vec();
    let mut patterns = names(options);
    if !options.layout.daily {
        actions.extend(STREAMS);
        patterns.extend(names(options).iter().map(|name| format!(".ds-{name}-*")));
    }
    if manages {
        cluster.extend(TEMPLATES);
        if options.retention.is_some() {
            cluster.extend(POLICIES);
            actions.push("indices:admin/opensearch/ism/managedindex");
        }
    }
    json!({
        "cluster_permissions": cluster,
        "index_permissions": [{ "index_patterns": patterns, "allowed_actions": actions }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(more: &Value) -> Vec<Snippet> {
        let mut config = json!({ "hosts": ["http://search:9200"], "index_prefix": "shop", "api_key": "hidden" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = serde_json::from_value(config).unwrap();
        snippets(&Options::try_from(&config).unwrap())
    }

    fn json_of(snippets: &[Snippet], name: &str) -> Value {
        serde_json::from_str(&snippets.iter().find(|it| it.name == name).unwrap().text).unwrap()
    }

    #[test]
    fn a_role_has_what_its_config_needs_and_no_more() {
        let all = printed(&json!({}));
        let role = json_of(&all, "role");
        let expected = json!({ "cluster": ["monitor", "manage_index_templates"], "indices": [{
            "names": ["shop-event", "shop-network"],
            "privileges": ["create_doc", "auto_configure", "view_index_metadata", "maintenance", "read"],
        }] });
        assert_eq!(role, expected);
        assert_eq!(json_of(&all, "api-key")["role_descriptors"]["shop-metricast"], role);
        assert_eq!(json_of(&all, "role-writer")["cluster"], json!(["monitor"]));
        assert_eq!(json_of(&printed(&json!({ "manage_template": false })), "role")["cluster"], json!(["monitor"]));
        let kept = json_of(&printed(&json!({ "retention": "30d" })), "role");
        assert!(kept["indices"][0]["privileges"].as_array().unwrap().contains(&json!("manage_data_stream_lifecycle")));
        let daily = json_of(&printed(&json!({ "indices": "daily" })), "role");
        assert_eq!(daily["indices"][0]["names"], json!(["shop-event-*", "shop-network-*"]));
        assert_eq!(daily["indices"][0]["privileges"], json!(["create_doc", "auto_configure", "view_index_metadata"]));
    }

    #[test]
    fn the_names_are_told_apart_and_no_secret_is_among_the_texts() {
        let all = printed(&json!({ "retention": "30d" }));
        let names: Vec<_> = all.iter().map(|snippet| snippet.name).collect();
        let expected = [
            "role",
            "role-opensearch",
            "api-key",
            "role-writer",
            "role-writer-opensearch",
            "template",
            "template-opensearch",
        ];
        assert_eq!(names, expected);
        assert!(all.iter().all(|it| !it.text.contains("hidden") && !it.about.is_empty()));
        let open = json_of(&all, "role-opensearch");
        let patterns = &open["index_permissions"][0]["index_patterns"];
        assert_eq!(*patterns, json!(["shop-event", "shop-network", ".ds-shop-event-*", ".ds-shop-network-*"]));
        assert_eq!(json_of(&all, "template")["template"]["lifecycle"]["data_retention"], "30d");
        assert!(json_of(&all, "template-opensearch")["template"].get("lifecycle").is_none());
    }
}
