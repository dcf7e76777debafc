//! Spans of `tracing` as events.

mod open;

use std::sync::Arc;

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::{ExtensionsMut, LookupSpan, SpanRef};

use super::recorder::Recorder;
use crate::threads;
use open::{Error, Open, Opens, Values};

/// The field that makes a span an event.
const FIELD: &str = "metricast";

/// A layer for `tracing-subscriber` that records each finished span that is marked as an
/// [`EventMetrics`](crate::EventMetrics).
///
/// A span is marked by a field named `metricast` (`metricast = true`, or `fields(metricast)` in `#[instrument]`), or
/// taken by [`filter`](Self::filter). Spans of this crate, and on its own threads, are never taken.
///
/// | of the record | from the span |
/// |---|---|
/// | `event_name` | the field `event_name`, else the span's name |
/// | `task_id`, `retry_count` | the fields of these names |
/// | `status` | the field; else `failed` where there is an error, and `completed` |
/// | `error` | the field; else the first event of level ERROR in it (its field `error`, else its message), or in a span in it that is not taken itself; else `panicked` where it ends by a panic |
/// | `start_time`, `end_time` | when the span was made, and when it was closed |
/// | `process_id` | this process |
/// | attributes | its other fields |
///
/// It never waits: while the publisher's queue is full, events are dropped, and the next flush or close counts them as
/// [`unqueued`](crate::Undelivered::unqueued). A span of which no valid record can be made (its texts are longer than a
/// record may be) is counted as [`invalid`](crate::Undelivered::invalid). A span that is not taken costs a look at its
/// list of fields.
///
/// ```
/// use std::time::Duration;
///
/// use metricast::{ExpositionFormat, MetricsLayer, MetricsPublisher, PrometheusPublisher};
/// use tracing::{error, info_span};
/// use tracing_subscriber::prelude::*;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = PrometheusPublisher::new(0);
/// publisher.start().await?;
/// let subscriber = tracing_subscriber::registry().with(MetricsLayer::new(publisher.recorder()));
///
/// tracing::subscriber::with_default(subscriber, || {
///     info_span!("Pay", metricast = true, task_id = "t-1", tenant = "acme").in_scope(|| ());
///     info_span!("Pay", metricast = true, task_id = "t-2").in_scope(|| error!("no money"));
///     info_span!("not measured").in_scope(|| ());
/// });
///
/// let page = publisher.exposition(ExpositionFormat::Text).await?;
/// assert!(page.contains(r#"event_records_total{event_name="Pay",status="completed"} 1"#), "{page}");
/// assert!(page.contains(r#"event_records_total{event_name="Pay",status="failed"} 1"#), "{page}");
/// publisher.close(Duration::from_secs(10)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MetricsLayer {
    recorder: Recorder,
    filter: Option<Arc<Filter>>,
}

type Filter = dyn Fn(&Metadata<'_>) -> bool + Send + Sync;

impl MetricsLayer {
    /// Records to a publisher.
    ///
    /// ```
    /// use metricast::{MetricsLayer, PrometheusPublisher};
    ///
    /// let publisher = PrometheusPublisher::new(9464);
    /// let layer = MetricsLayer::new(publisher.recorder());
    /// # let _ = layer;
    /// ```
    pub fn new(recorder: Recorder) -> Self {
        Self { recorder, filter: None }
    }

    /// Takes the spans for which this holds, beside those that are marked. It is asked at each new span.
    ///
    /// ```
    /// # use metricast::{MetricsLayer, PrometheusPublisher};
    /// # let publisher = PrometheusPublisher::new(9464);
    /// use tracing::Level;
    ///
    /// let layer = MetricsLayer::new(publisher.recorder())
    ///     .filter(|span| span.target().starts_with("shop") && *span.level() <= Level::INFO);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn filter(mut self, takes: impl Fn(&Metadata<'_>) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(takes));
        self
    }

    fn takes(&self, metadata: &Metadata<'_>) -> bool {
        let wanted =
            metadata.fields().field(FIELD).is_some() || self.filter.as_ref().is_some_and(|takes| takes(metadata));
        wanted && !threads::is_ours() && !is_own(metadata.target())
    }

    /// Whether a span becomes a record of this publisher.
    fn is_open<'a, S: LookupSpan<'a>>(&self, span: &SpanRef<'a, S>) -> bool {
        span.extensions().get::<Opens>().is_some_and(|opens| opens.has(self.recorder.publisher()))
    }

    fn open<'a>(&self, extensions: &'a mut ExtensionsMut<'_>) -> Option<&'a mut Open> {
        extensions.get_mut::<Opens>()?.get(self.recorder.publisher())
    }
}

/// Whether a target is this crate's.
fn is_own(target: &str) -> bool {
    target.strip_prefix("metricast").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl<S> Layer<S> for MetricsLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !self.takes(attributes.metadata()) {
            return;
        }
        if let Some(span) = context.span(id) {
            let mut values = Values::default();
            attributes.record(&mut values);
            let open = Open::new(attributes.metadata().name(), values);
            let mut extensions = span.extensions_mut();
            match extensions.get_mut::<Opens>() {
                Some(opens) => opens.add(self.recorder.publisher(), open),
                None => extensions.insert(Opens::of(self.recorder.publisher(), open)),
            }
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id).filter(|span| self.is_open(span)) else { return };
        // A value may log while it is shown, which must not find the span locked.
        let mut said = Values::default();
        values.record(&mut said);
        if let Some(open) = self.open(&mut span.extensions_mut()) {
            open.set(said);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if *event.metadata().level() != Level::ERROR {
            return;
        }
        let Some(span) = context.event_scope(event).into_iter().flatten().find(|span| self.is_open(span)) else {
            return;
        };
        let mut error = Error::default();
        event.record(&mut error);
        if let Some(open) = self.open(&mut span.extensions_mut()) {
            open.fail(error);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let publisher = self.recorder.publisher();
        let open = context.span(&id).and_then(|span| span.extensions_mut().get_mut::<Opens>()?.take(publisher));
        if let Some(metrics) = open.and_then(Open::finish) {
            self.recorder.record_span(&metrics);
        }
    }
}

impl std::fmt::Debug for MetricsLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetricsLayer").field("filtered", &self.filter.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
