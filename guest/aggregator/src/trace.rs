//! What an exemplar says of its record: the trace that it belongs to, or else its task.
//!
//! Attributes are taken by the names that programs use: `trace_id` and `span_id`, or a W3C `traceparent`
//! (<https://www.w3.org/TR/trace-context/#traceparent-header>).

use metricast_sdk::{Attributes, MetricsRef};
use metricast_series::Exemplar;

/// The exemplar of a record with this value, received at this time; none where it says nothing of itself, or too much.
pub(crate) fn exemplar(record: &MetricsRef<'_>, value: f64, received: f64) -> Option<Exemplar> {
    if let Some((trace, span)) = context(record.attributes()) {
        return Exemplar::new(&[("trace_id", trace), ("span_id", span)], value, received);
    }
    let task = match record {
        MetricsRef::Event(event) => event.task_id,
        MetricsRef::Network(network) => network.task_id.unwrap_or_default(),
    };
    Exemplar::new(&[("task_id", task)], value, received)
}

/// Trace and span; the latter may be empty.
fn context(attributes: Attributes<'_>) -> Option<(&str, &str)> {
    let of = |key| attributes.get(key).filter(|value| !value.is_empty());
    match of("trace_id") {
        Some(trace) => Some((trace, of("span_id").unwrap_or_default())),
        None => parse_traceparent(of("traceparent")?),
    }
}

/// Trace and span of `version-trace-span-flags`; a later version may go on after that.
fn parse_traceparent(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex =
        |text: &str, length| text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_id = |text: &str, length| is_hex(text, length) && text.bytes().any(|byte| byte != b'0');
    let ends = version != "00" || parts.next().is_none();
    let is_valid = is_hex(version, 2) && version != "ff" && is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2);
    (is_valid && ends).then_some((trace, span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use metricast_records::EventMetrics;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn of(task: &str, attributes: &[(&str, &str)]) -> Option<Exemplar> {
        let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let event = EventMetrics { task_id: task.to_owned(), attributes, ..EventMetrics::default() };
        exemplar(&MetricsRef::Event(event.as_ref()), 0.5, 9.0)
    }

    #[test]
    fn the_trace_comes_before_the_task() {
        let traced = Exemplar::new(&[("trace_id", TRACE), ("span_id", SPAN)], 0.5, 9.0);
        let traceparent = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(of("t", &[("span_id", SPAN), ("trace_id", TRACE)]), traced);
        assert_eq!(of("t", &[("traceparent", &traceparent)]), traced);
        assert_eq!(
            of("t", &[("traceparent", &traceparent), ("trace_id", "x")]),
            Exemplar::new(&[("trace_id", "x")], 0.5, 9.0)
        );
        assert_eq!(of("t", &[("trace_id", "")]), Exemplar::new(&[("task_id", "t")], 0.5, 9.0));
        assert_eq!(of("", &[]), None);
        assert_eq!(of("t", &[("trace_id", &"x".repeat(128))]), None);
    }

    #[test]
    fn what_is_no_traceparent_is_passed_over() {
        assert!(parse_traceparent(&format!("01-{TRACE}-{SPAN}-01-more")).is_some());
        for text in [
            "",
            "00",
            &format!("00-{TRACE}-{SPAN}"),
            &format!("00-{TRACE}-{SPAN}-01-more"),
            &format!("ff-{TRACE}-{SPAN}-01"),
            &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-{}-01", "0".repeat(16)),
            &format!("00-{}-{SPAN}-01", "0".repeat(32)),
            &format!("00-{TRACE}0-{SPAN}-01"),
        ] {
            assert_eq!(parse_traceparent(text), None, "{text}");
        }
    }
}
