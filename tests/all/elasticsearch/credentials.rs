//! Who may do what, by real keys of a real Elasticsearch.

use metricast_elasticsearch::ElasticsearchPublisher;
use metricast_records::{Batch, Metrics};
use metricast_sdk::{PublishError, Publisher as _, config};
use serde_json::{Value, json};
use support::Server;
use support::search::{Lease, Node};

use super::{batch, event, network, open, open_at};

fn node() -> Option<Lease> {
    Node::shared_of(Server::Elasticsearch8)
}

fn both() -> Batch {
    batch(&[Metrics::Event(event()), Metrics::Network(network())])
}

/// A new key of a role: its encoded form, and its id.
fn key(node: &Node, name: &str, role: &Value) -> (String, String) {
    let answer = node.post("/_security/api_key", &json!({ "name": name, "role_descriptors": { "role": role } }));
    (answer["encoded"].as_str().unwrap().to_owned(), answer["id"].as_str().unwrap().to_owned())
}

fn role(cluster: &[&str], names: &[&str], privileges: &[&str]) -> Value {
    json!({ "cluster": cluster, "indices": [{ "names": names, "privileges": privileges }] })
}

fn open_with(node: &Node, prefix: &str, key: &str) -> Result<ElasticsearchPublisher, PublishError> {
    open(&[node.url()], prefix, &json!({ "api_key": key }))
}

fn unauthorized<T: std::fmt::Debug>(result: Result<T, PublishError>) -> String {
    match result {
        Err(PublishError::Unauthorized(text)) => text,
        other => panic!("{other:?}"),
    }
}

const SET_UP: &[&str] = &["manage_index_templates"];
const WRITE: &[&str] = &["auto_configure", "create_doc", "view_index_metadata"];

#[test]
fn a_key_that_may_write_writes_and_again_is_accepted() {
    let Some(node) = node() else { return };
    let (key, _) = key(&node, "full", &role(SET_UP, &["keyed-*"], WRITE));
    let mut publisher = open_with(&node, "keyed", &key).unwrap();
    assert_eq!(publisher.publish(&both()).unwrap().accepted, 2);
    assert_eq!(publisher.publish(&both()).unwrap().accepted, 2, "again is 409 and accepted");
    assert_eq!((node.count("keyed-event"), node.count("keyed-network")), (1, 1));
}

#[test]
fn basic_credentials_are_taken() {
    let Some(node) = node() else { return };
    assert_eq!(open_at(&node, "basic", &json!({})).unwrap().publish(&both()).unwrap().accepted, 2);
}

#[test]
fn no_credentials_or_wrong_ones_are_told() {
    let Some(node) = node() else { return };
    let told = unauthorized(open(&[node.url()], "wrong", &json!({})));
    assert!(told.starts_with("GET /: 401 security_exception missing authentication"), "{told}");
    let wrong = support::http::basic("tester", "wrong");
    let wrong_key = support::http::basic("no-such-id", "no-such-key");
    for (name, value) in [
        ("bearer", "wrong"),
        ("basic", wrong.strip_prefix("Basic ").unwrap()),
        ("api_key", wrong_key.strip_prefix("Basic ").unwrap()),
        ("api_key", "not base64"),
    ] {
        let told = unauthorized(open(&[node.url()], "wrong", &json!({ name: value })));
        assert!(told.starts_with("GET /: 401 security_exception"), "{name}: {told}");
        assert!(!told.contains(value), "{told}");
    }
}

#[test]
fn a_key_that_is_invalidated_while_it_is_used_is_told() {
    let Some(node) = node() else { return };
    let (key, id) = key(&node, "short-lived", &role(SET_UP, &["revoked-*"], WRITE));
    let mut publisher = open_with(&node, "revoked", &key).unwrap();
    assert_eq!(publisher.publish(&both()).unwrap().accepted, 2);
    let body = json!({ "ids": [id] }).to_string();
    node.send(http::Method::DELETE, "/_security/api_key", "application/json", body).expect_success("invalidated");
    let told = unauthorized(publisher.publish(&both()));
    assert!(told.starts_with("POST /_bulk: 401 security_exception"), "{told}");
    let told = unauthorized(open_with(&node, "revoked", &key));
    assert!(told.starts_with("GET /: 401 security_exception"), "{told}");
}

/// The role that `check --print role` shows for a prefix.
fn printed_role(node: &Node, prefix: &str) -> Value {
    let config = json!({ "hosts": [node.url()], "index_prefix": prefix }).to_string();
    let snippets = ElasticsearchPublisher::snippets(&config::parse::<ElasticsearchPublisher>(&config).unwrap())
        .expect("a good config");
    let text = &snippets.iter().find(|snippet| snippet.name == "role").expect("there is a role").text;
    let (first, last) = (text.find('{').unwrap(), text.rfind('}').unwrap());
    serde_json::from_str(&text[first..=last]).unwrap()
}

/// All that a publisher does: opens, writes, and looks up what may be there already.
fn uses(node: &Node, prefix: &str, role: &Value) -> Result<u32, PublishError> {
    node.put(&format!("/_security/role/{prefix}"), role);
    let (key, _) = key(node, prefix, role);
    let mut publisher = open_with(node, prefix, &key)?;
    publisher.publish(&both())?;
    publisher.publish(&both().with_redelivered(true)).map(|receipt| receipt.accepted)
}

#[test]
fn the_printed_role_is_enough() {
    let Some(node) = node() else { return };
    let role = printed_role(&node, "printed");
    assert_eq!(uses(&node, "printed", &role), Ok(2), "{role}");
    assert_eq!((node.count("printed-event"), node.count("printed-network")), (1, 1));
    let elsewhere = uses(&node, "elsewhere", &role);
    assert!(matches!(elsewhere, Err(PublishError::Unauthorized(_))), "it is for its own streams: {elsewhere:?}");
}

#[test]
fn each_privilege_of_the_printed_role_is_needed_and_named_where_it_is_missing() {
    let Some(node) = node() else { return };
    let role = printed_role(&node, "any");
    let all = [("/cluster", &role["cluster"]), ("/indices/0/privileges", &role["indices"][0]["privileges"])];
    assert_eq!(role["indices"].as_array().unwrap().len(), 1, "{role}");
    for (at, privileges) in all {
        for privilege in privileges.as_array().unwrap() {
            let privilege = privilege.as_str().unwrap();
            // What the distribution for tests has no need of: a stub answers its `GET /`, and `read` is enough to
            // resolve names here, which not every version lets it do.
            if matches!(privilege, "monitor" | "view_index_metadata") {
                continue;
            }
            let prefix = format!("without-{}", privilege.replace([':', '/', '*'], "-"));
            let mut less = printed_role(&node, &prefix);
            less.pointer_mut(at).unwrap().as_array_mut().unwrap().retain(|it| it != privilege);
            let Err(PublishError::Unauthorized(told)) = uses(&node, &prefix, &less) else {
                panic!("{privilege} is not needed");
            };
            assert!(told.contains("403 security_exception") && told.contains(privilege), "{privilege}: {told}");
        }
    }
}

#[test]
fn a_key_that_may_write_one_kind_keeps_the_other_back() {
    let Some(node) = node() else { return };
    let half = json!({ "cluster": SET_UP, "indices": [
        { "names": ["half-*"], "privileges": ["auto_configure", "view_index_metadata"] },
        { "names": ["half-event"], "privileges": ["create_doc"] },
    ] });
    let (key, _) = key(&node, "half", &half);
    let mut publisher = open_with(&node, "half", &key).unwrap();
    let receipt = publisher.publish(&both()).unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.as_slice()), (1, &[1][..]), "{receipt:?}");
    assert_eq!((receipt.rejected.len(), receipt.in_doubt.len()), (0, 0), "{receipt:?}");
    let told = unauthorized(publisher.publish(&both().select(&[1])));
    assert!(told.starts_with("403 security_exception") && told.contains("create_doc"), "{told}");
    assert!(told.contains("half-network"), "{told}");
}
