//! Attributes as labels and in exemplars.

use super::*;

fn tenants(records: &[(&str, Option<&str>)]) -> Batch {
    let records = records.iter().map(|(name, tenant)| {
        let attributes = tenant.map(|tenant| ("tenant".to_owned(), tenant.to_owned())).into_iter().collect();
        with(event(name, "completed", 1, Some(0.25)), attributes)
    });
    batch(&records.collect::<Vec<_>>())
}

#[test]
fn an_attribute_is_a_label_up_to_its_cap_and_a_constant_is_everywhere() {
    let labels =
        [("tenant".to_owned(), tenant(None, Some(2))), ("region".to_owned(), Label::Constant("eu".to_owned()))];
    let config = Config { labels: labels.into_iter().collect(), ..Config::default() };
    let mut publisher = opened(&config, None);
    let first = tenants(&[("a", Some("x")), ("a", Some("y")), ("a", Some("z")), ("a", None), ("b", Some("z"))]);
    publisher.publish(&first.placed("e", 0)).expect("taken");
    let mut publisher = opened(&config, publisher.snapshot());
    publisher.publish(&tenants(&[("a", Some("y")), ("b", Some("w")), ("b", Some("x"))]).placed("e", 5)).expect("taken");
    let page = page(&publisher);
    for line in [
        "event_retries_total{event_name=\"a\",tenant=\"x\",region=\"eu\"} 1\n",
        "event_retries_total{event_name=\"a\",tenant=\"y\",region=\"eu\"} 2\n",
        "event_retries_total{event_name=\"a\",tenant=\"__other__\",region=\"eu\"} 1\n",
        "event_retries_total{event_name=\"a\",region=\"eu\"} 1\n",
        "event_retries_total{event_name=\"b\",tenant=\"__other__\",region=\"eu\"} 2\n",
        "event_retries_total{event_name=\"b\",tenant=\"x\",region=\"eu\"} 1\n",
        "event_duration_seconds_count{event_name=\"b\",status=\"failed\",tenant=\"x\",region=\"eu\"} 0\n",
        "metricast_unobserved_total{reason=\"no_end\",region=\"eu\"} 0\n",
        "metricast_series_overflow_total{family=\"event_retries\",region=\"eu\"} 0\n",
    ] {
        assert!(page.contains(line), "{line}{page}");
    }
}

#[test]
fn values_that_are_not_allowed_are_others() {
    let labels = [("tenant".to_owned(), tenant(Some(&["y"]), None))];
    let config = Config { labels: labels.into_iter().collect(), ..Config::default() };
    let mut publisher = opened(&config, None);
    publisher.publish(&tenants(&[("a", Some("x")), ("a", Some("y")), ("a", Some(""))])).expect("taken");
    let page = page(&publisher);
    for labels in ["tenant=\"__other__\"", "tenant=\"y\""] {
        assert!(page.contains(&format!("event_retries_total{{event_name=\"a\",{labels}}} 1\n")), "{page}");
    }
    assert!(page.contains("event_retries_total{event_name=\"a\"} 1\n"), "{page}");
}

#[test]
fn exemplars_name_the_trace_or_the_task() {
    let mut publisher = opened(&Config::default(), None);
    let traced = with(event("a", "completed", 0, Some(0.25)), vec![("trace_id".to_owned(), "abc".to_owned())]);
    let records = [
        (event("a", "completed", 0, Some(0.001_953_125)), 1_795_400_000.5),
        (traced.clone(), 1_795_400_001.0),
        (with(traced, vec![("trace_id".to_owned(), "later".to_owned())]), 1_795_400_005.5),
        (network("get", None, 8, Some(40.0)), 1_795_400_002.0),
    ];
    publisher.publish(&batch_of(&records)).expect("taken");
    let page = publisher.scrape("application/openmetrics-text").expect("a page").body;
    let page = String::from_utf8(page).expect("a page is UTF-8");
    let event = "event_name=\"a\",status=\"completed\"";
    for line in [
        format!(
            "event_duration_seconds_bucket{{{event},le=\"0.0025\"}} 1 # {{task_id=\"task\"}} 0.001953125 1795400000.5\n"
        ),
        format!("event_duration_seconds_bucket{{{event},le=\"0.25\"}} 3 # {{trace_id=\"abc\"}} 0.25 1795400001\n"),
        format!("event_duration_seconds_bucket{{{event},le=\"+Inf\"}} 3\n"),
        format!("event_records_total{{{event}}} 3 # {{trace_id=\"later\"}} 1 1795400005.5\n"),
        "network_latency_seconds_bucket{operation=\"get\",le=\"+Inf\"} 1\n".to_owned(),
    ] {
        assert!(page.contains(&line), "{line}{page}");
    }
    assert!(!self::page(&publisher).contains("# {"));
    let config = Config { exemplars: false, ..Config::default() };
    let mut publisher = opened(&config, None);
    publisher.publish(&batch_of(&records)).expect("taken");
    let page = publisher.scrape("application/openmetrics-text").expect("a page").body;
    assert!(!String::from_utf8_lossy(&page).contains("# {"));
}
