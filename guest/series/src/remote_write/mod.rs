//! Prometheus remote write, 2.0 (<https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>) and 1.0
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>): what is sent to Prometheus, Mimir, Grafana Cloud and others.
//!
//! Bodies are compressed with snappy's block format, as both versions want. Labels are sorted by name, none is empty, and
//! names are those of a scrape: `_total`, `_bucket` with a canonical `le` such as `1.0`, `_sum`, `_count`. A native
//! histogram is one sample under the family's name; where a family has both forms, both are sent.
//!
//! 2.0 says type, help, unit and start of each series; 1.0 says type, help and unit once a family and body, and has no
//! start. Where a receiver refuses one sample of a 1.0 body it can refuse the whole of it (Prometheus does); of a 2.0 body
//! it keeps the rest. Messages are written by hand, as those of [`protobuf`](crate::protobuf) are. Which version a receiver
//! understands is left to the caller: one that knows no 2.0 can answer 204 and store nothing (VictoriaMetrics and
//! Prometheus 2.42 do), and then only the missing `X-Prometheus-Remote-Write-Samples-Written` header tells.

mod labels;
mod native;
mod series;
mod v1;
mod v2;

pub(crate) use v1::Encoder as Encoder1;
pub(crate) use v2::Encoder as Encoder2;

/// The `Content-Type` of a 2.0 body.
pub const CONTENT_TYPE_2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";

/// The `Content-Type` of a 1.0 body.
pub const CONTENT_TYPE_1: &str = "application/x-protobuf";

/// Compressed with snappy's block format.
fn compressed(body: &[u8]) -> Vec<u8> {
    let compressed = snap::raw::Encoder::new().compress_vec(body);
    compressed.expect("only what is beyond 4 GiB is refused, more than a sandbox has")
}

/// The type of a family, by the same number in both versions.
fn kind(cells: crate::view::CellsView<'_>) -> u64 {
    match cells {
        crate::view::CellsView::Counters(_) => 1,
        crate::view::CellsView::Gauges(_) => 2,
        crate::view::CellsView::Histograms(_) => 3,
    }
}
