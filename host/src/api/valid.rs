//! Whether a record of a program is one: the same rules as for records that are read.

use metricast_records::input::{MAX_ATTRIBUTES, MAX_LINE};
use metricast_records::{Attributes, MetricsRef, time};

/// A record's value that it cannot have.
///
/// ```
/// use metricast::{MetricsPublisher, NetworkMetrics, PrometheusPublisher, PublishError};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backwards = NetworkMetrics {
///     operation: "http_get".into(),
///     host: "localhost".into(),
///     start_time: 20.0,
///     end_time: Some(10.0),
///     ..NetworkMetrics::default()
/// };
/// match PrometheusPublisher::new(0).publish_network_metrics(&backwards).await {
///     Err(PublishError::Invalid(invalid)) => assert_eq!(invalid.field, "end_time"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {problem}")]
pub struct InvalidRecord {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

pub(super) fn check(metrics: &MetricsRef<'_>) -> Result<(), InvalidRecord> {
    match metrics {
        MetricsRef::Event(event) => {
            name("event_name", event.event_name)?;
            name("status", event.status)?;
            if event.process_id == Some(u32::MAX) {
                return Err(invalid("process_id", "is 4294967295: that one means that there is none"));
            }
        }
        MetricsRef::Network(network) => {
            name("operation", network.operation)?;
            name("host", network.host)?;
        }
    }
    times(metrics.start_time(), metrics.end_time())?;
    attributes(metrics.attributes())?;
    let text = text_len(metrics);
    if text > MAX_LINE {
        return Err(invalid("attributes", format!("and the other texts have {text} bytes: at most {MAX_LINE} fit")));
    }
    Ok(())
}

fn name(field: &'static str, text: &str) -> Result<(), InvalidRecord> {
    if text.is_empty() { Err(invalid(field, "is empty: a record needs one")) } else { Ok(()) }
}

fn times(start: f64, end: Option<f64>) -> Result<(), InvalidRecord> {
    for (field, time) in [("start_time", Some(start)), ("end_time", end)] {
        if let Some(time) = time.filter(|&time| !time::in_range(time)) {
            let problem = format!("is {time}: seconds since 1970 up to the year 2262 are wanted");
            return Err(invalid(field, problem));
        }
    }
    match end.filter(|&end| end < start) {
        Some(end) => Err(invalid("end_time", format!("is {end}, before the start at {start}"))),
        None => Ok(()),
    }
}

fn attributes(attributes: Attributes<'_>) -> Result<(), InvalidRecord> {
    /// Below this, comparing each with each is the quickest.
    const FEW: usize = 12;
    let count = attributes.len();
    if count > MAX_ATTRIBUTES {
        return Err(invalid("attributes", format!("are {count}: at most {MAX_ATTRIBUTES} fit")));
    }
    let twice = if count <= FEW {
        attributes.iter().enumerate().find(|(at, (key, _))| attributes.iter().take(*at).any(|(known, _)| known == *key))
    } else {
        let mut known = std::collections::HashSet::with_capacity(count);
        attributes.iter().enumerate().find(|(_, (key, _))| !known.insert(*key))
    };
    match twice {
        Some((_, (key, _))) => Err(invalid("attributes", format!("have the key {key:?} twice"))),
        None => Ok(()),
    }
}

fn text_len(metrics: &MetricsRef<'_>) -> usize {
    let own = match metrics {
        MetricsRef::Event(event) => {
            event.event_name.len() + event.task_id.len() + event.status.len() + event.error.map_or(0, str::len)
        }
        MetricsRef::Network(network) => {
            let optional = [network.task_id, network.error].into_iter().flatten().map(str::len).sum::<usize>();
            network.operation.len() + network.host.len() + optional
        }
    };
    own + metrics.attributes().iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
}

fn invalid(field: &'static str, problem: impl Into<String>) -> InvalidRecord {
    InvalidRecord { field, problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use metricast_records::{Batch, BatchBuilder, Columns, EventMetrics, Metrics, NetworkMetrics};
    use proptest::prelude::*;

    use super::*;

    fn event() -> EventMetrics {
        EventMetrics { event_name: "Pay".into(), start_time: 1.0, status: "running".into(), ..EventMetrics::default() }
    }

    fn problem(metrics: impl Into<Metrics>) -> String {
        check(&metrics.into().as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn what_no_record_has_is_named() {
        assert_eq!(
            problem(EventMetrics { event_name: String::new(), ..event() }),
            "event_name is empty: a record needs one"
        );
        assert_eq!(problem(EventMetrics { status: String::new(), ..event() }), "status is empty: a record needs one");
        assert!(problem(EventMetrics { start_time: f64::NAN, ..event() }).starts_with("start_time is NaN"));
        assert!(problem(EventMetrics { end_time: Some(1e12), ..event() }).starts_with("end_time is 1000000000000"));
        assert_eq!(problem(EventMetrics { end_time: Some(0.5), ..event() }), "end_time is 0.5, before the start at 1");
        assert!(problem(EventMetrics { process_id: Some(u32::MAX), ..event() }).starts_with("process_id"));
        assert!(
            problem(NetworkMetrics { operation: "x".into(), ..NetworkMetrics::default() }).starts_with("host is empty")
        );
    }

    #[test]
    fn attributes_stand_once_are_bounded_and_fit() {
        let with = |count: usize| (0..count).map(|n| (n.to_string(), String::new())).collect::<Vec<_>>();
        let attributes = |attributes| EventMetrics { attributes, ..event() };
        for count in [0, 12, MAX_ATTRIBUTES] {
            assert_eq!(check(&Metrics::from(attributes(with(count))).as_ref()), Ok(()), "{count}");
        }
        assert!(problem(attributes(with(MAX_ATTRIBUTES + 1))).starts_with("attributes are 257"));
        for count in [3, 50] {
            let mut twice = with(count);
            twice.push(("2".into(), "again".into()));
            assert_eq!(problem(attributes(twice)), r#"attributes have the key "2" twice"#);
        }
        assert!(problem(attributes(vec![("k".into(), "x".repeat(MAX_LINE))])).contains("bytes: at most"));
    }

    proptest! {
        /// What passes here passes the check at the sandbox's door.
        #[test]
        fn what_passes_makes_a_batch(name in ".{0,3}", status in ".{0,3}", start in any::<f64>(), end in any::<Option<f64>>(), pid in any::<Option<u32>>()) {
            let metrics = Metrics::from(EventMetrics { event_name: name, status, start_time: start, end_time: end, process_id: pid, ..EventMetrics::default() });
            if check(&metrics.as_ref()).is_ok() {
                let mut builder = BatchBuilder::new();
                builder.push(&metrics.as_ref(), 1.0).unwrap();
                let batch = builder.finish();
                prop_assert!(Batch::try_from(Columns::from(batch)).is_ok());
            }
        }
    }
}
