//! Several hosts, of which one is a real node.

use std::net::TcpListener;

use metricast_records::Metrics;
use metricast_sdk::{PublishError, Publisher as _};
use serde_json::json;
use support::search::Node;

use super::{batch, event, misconfigured, open};

/// Where nobody listens.
fn closed() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

#[test]
fn a_dead_host_in_front_of_a_live_one_costs_nothing() {
    let Some(node) = Node::shared() else { return };
    let mut publisher = open(&[closed(), node.url(), closed()], "several", &json!({})).unwrap();
    for place in 0..3 {
        let batch = batch(&[Metrics::Event(event())]).placed("several", place);
        assert_eq!(publisher.publish(&batch).unwrap().accepted, 1);
    }
    assert_eq!(node.count("several-event"), 3);
}

#[test]
fn hosts_that_are_all_dead_are_unavailable_and_named() {
    let hosts = [closed(), closed()];
    let told = open(&hosts, "dead", &json!({})).unwrap_err();
    let PublishError::Unavailable { reason, .. } = &told else { panic!("{told:?}") };
    assert!(hosts.iter().any(|host| reason.contains(host)), "{reason}");
}

#[test]
fn a_host_without_a_scheme_is_shown_the_right_form() {
    let told = misconfigured(open(&["localhost:9200".to_owned()], "shop", &json!({})));
    assert_eq!(told, "hosts[0]: needs a scheme, such as https://localhost:9200");
}
