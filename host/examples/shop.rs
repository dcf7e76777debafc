//! A program that measures itself: two spans of its own work, marked for metricast, and one network operation, shown to
//! Prometheus.
//!
//! `cargo run -p metricast --example shop`, then open the address that it prints. With `--once` it ends by itself.

use std::error::Error;
use std::time::Duration;

use metricast::{ExpositionFormat, MetricsLayer, MetricsPublisher, NetworkMetrics, PrometheusPublisher, clock};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let once = std::env::args().any(|argument| argument == "--once");
    let publisher = PrometheusPublisher::new(if once { 0 } else { 9464 });
    publisher.start().await?;
    if let Some(address) = publisher.address() {
        println!("metrics at http://{address}/metrics, Ctrl-C ends");
    }
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO))
        .with(MetricsLayer::new(publisher.recorder()).with_filter(LevelFilter::INFO))
        .init();

    for order in 0..10 {
        // A failure is an event like any other.
        let _ = pay(order).await;
        publisher.publish_network_metrics(&fetched(order)).await?;
    }
    if once {
        print!("{}", publisher.exposition(ExpositionFormat::Text).await?);
    } else {
        tokio::signal::ctrl_c().await?;
    }
    publisher.close(Duration::from_secs(10)).await?;
    Ok(())
}

/// `fields(metricast)` makes an event of each run; an error that is returned makes it a failed one.
#[tracing::instrument(name = "Pay", fields(metricast, task_id = order), err)]
async fn pay(order: u64) -> Result<(), String> {
    tokio::time::sleep(Duration::from_millis(5 * order)).await;
    if order % 4 == 3 { Err("no money".to_owned()) } else { Ok(()) }
}

fn fetched(order: u64) -> NetworkMetrics {
    let end = clock::now();
    NetworkMetrics {
        operation: "http_get".into(),
        host: "stock.example.com".into(),
        port: 443,
        start_time: end - 0.02,
        end_time: Some(end),
        bytes_received: 1_000 * order,
        ..NetworkMetrics::default()
    }
}
