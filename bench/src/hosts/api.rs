//! What a call of the Rust API costs, one record at a time, to a publisher that aggregates.

use std::time::{Duration, Instant};

use anyhow::Result;
use metricast::{EventMetrics, MetricsPublisher, PrometheusPublisher};
use serde::Serialize;

use crate::spread::Spread;

const CALLS: u32 = 100_000;
const PATIENCE: Duration = Duration::from_mins(1);

/// Nanoseconds a call.
#[derive(Serialize)]
pub(super) struct Figure {
    /// Until the call returns.
    call_ns: Spread,
    /// Until a flush has returned, divided by the calls.
    delivered_ns: Spread,
}

pub(super) async fn measure(rounds: u32) -> Result<Figure> {
    let publisher = PrometheusPublisher::new(0).without_server();
    publisher.start().await?;
    let start_time = metricast::clock::now();
    let event = EventMetrics {
        event_name: "bench".to_owned(),
        task_id: "task-1".to_owned(),
        start_time,
        end_time: Some(start_time + 0.25),
        status: "completed".to_owned(),
        ..EventMetrics::default()
    };
    let (mut calls, mut delivered) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let start = Instant::now();
        for _ in 0..CALLS {
            publisher.publish_event_metrics(&event).await?;
        }
        let called = start.elapsed();
        publisher.flush(PATIENCE).await?;
        if round > 0 {
            calls.push(called.as_nanos() as f64 / f64::from(CALLS));
            delivered.push(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
        }
    }
    publisher.close(PATIENCE).await?;
    Ok(Figure { call_ns: Spread::of(calls), delivered_ns: Spread::of(delivered) })
}

impl Figure {
    pub(super) fn print(&self) {
        println!("`publish_event_metrics` of `PrometheusPublisher`, {CALLS} calls a round, min / median / max\n");
        println!("| ns a call | ns a record, delivered |\n| ---: | ---: |");
        println!("| {} | {} |\n", self.call_ns.text(0), self.delivered_ns.text(0));
    }
}
