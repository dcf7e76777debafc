//! Bodies as the public definitions read them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use metricast_series::push::Body;
use prost_reflect::{DescriptorPool, DynamicMessage, Value};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

static DEFINITIONS: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut compiler = protox::Compiler::new([DATA, &format!("{DATA}/prompb")]).expect("the folders are there");
    for file in [
        "io/prometheus/write/v2/types.proto",
        "remote.proto",
        "opentelemetry/proto/collector/metrics/v1/metrics_service.proto",
    ] {
        compiler.open_file(file).expect("the definition compiles");
    }
    compiler.descriptor_pool()
});

/// The message in `bytes`.
pub(crate) fn message(name: &str, bytes: &[u8]) -> DynamicMessage {
    let message = DEFINITIONS.get_message_by_name(name).expect("it is defined");
    let message = DynamicMessage::decode(message, bytes).expect("it is such a message");
    assert_eq!(message.unknown_fields().count(), 0);
    message
}

/// The message in a body that was compressed.
pub(crate) fn compressed(name: &str, body: &Body) -> DynamicMessage {
    let bytes = snap::raw::Decoder::new().decompress_vec(&body.bytes).expect("it is snappy's block format");
    message(name, &bytes)
}

pub(crate) fn list(message: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let values = message.get_field_by_name(field).expect("a field").into_owned();
    values.as_list().expect("a list").iter().filter_map(Value::as_message).cloned().collect()
}

pub(crate) fn value(message: &DynamicMessage, field: &str) -> Value {
    message.get_field_by_name(field).expect("a field").into_owned()
}

pub(crate) fn integer(message: &DynamicMessage, field: &str) -> i64 {
    value(message, field).as_i64().expect("an integer")
}

pub(crate) fn float(message: &DynamicMessage, field: &str) -> f64 {
    value(message, field).as_f64().expect("a float")
}

pub(crate) fn text(message: &DynamicMessage, field: &str) -> String {
    value(message, field).as_str().expect("a text").to_owned()
}

/// Names and values.
pub(crate) type Pairs = Vec<(String, String)>;

/// A series of remote write, of either version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) labels: Pairs,
    /// Values, or counts of histograms, as bits, since a marker is a NaN among others.
    pub(crate) samples: Vec<(i64, u64)>,
    pub(crate) starts: Vec<i64>,
    pub(crate) histograms: Vec<DynamicMessage>,
    pub(crate) exemplars: Vec<(Pairs, f64, i64)>,
}

impl Series {
    pub(crate) fn name(&self) -> String {
        let labels = self.labels.iter().filter(|(name, _)| name != "__name__" && name != "le");
        let le = self.labels.iter().find(|(name, _)| name == "le").map_or("", |(_, le)| le);
        let values: Vec<&str> = labels.map(|(_, value)| value.as_str()).collect();
        let name = &self.labels.iter().find(|(name, _)| name == "__name__").expect("a name").1;
        format!("{name} {} {le}", values.join(","))
    }

    /// Times and values of its samples, markers as none.
    pub(crate) fn values(&self) -> Vec<(i64, Option<f64>)> {
        let value = |bits| (bits != STALE).then(|| f64::from_bits(bits));
        self.samples.iter().map(|(time, bits)| (*time, value(*bits))).collect()
    }
}

pub(crate) const STALE: u64 = 0x7ff0_0000_0000_0002;

/// The series of a body of remote write 2.0.
pub(crate) fn series_2(body: &Body) -> Vec<Series> {
    let request = compressed("io.prometheus.write.v2.Request", body);
    let symbols = symbols(&request);
    assert_eq!(symbols[0], "");
    list(&request, "timeseries").iter().map(|series| series_of(series, &|message| pairs_2(message, &symbols))).collect()
}

pub(crate) fn symbols(request: &DynamicMessage) -> Vec<String> {
    let symbols = value(request, "symbols");
    symbols.as_list().expect("a list").iter().map(|symbol| symbol.as_str().expect("a text").to_owned()).collect()
}

/// The series of a body of remote write 1.0.
pub(crate) fn series_1(body: &Body) -> Vec<Series> {
    let request = compressed("prometheus.WriteRequest", body);
    list(&request, "timeseries").iter().map(|series| series_of(series, &pairs_1)).collect()
}

fn pairs_1(message: &DynamicMessage) -> Pairs {
    list(message, "labels").iter().map(|label| (text(label, "name"), text(label, "value"))).collect()
}

fn pairs_2(message: &DynamicMessage, symbols: &[String]) -> Pairs {
    let numbers = value(message, "labels_refs");
    let texts = numbers.as_list().expect("a list").iter().map(|number| number.as_u32().expect("a number"));
    let texts: Vec<String> = texts.map(|number| symbols[number as usize].clone()).collect();
    texts.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
}

fn series_of(series: &DynamicMessage, pairs: &dyn Fn(&DynamicMessage) -> Pairs) -> Series {
    let samples = list(series, "samples");
    let histograms = list(series, "histograms");
    let start = |message: &DynamicMessage| message.get_field_by_name("start_timestamp")?.as_i64();
    let exemplar = |message: &DynamicMessage| (pairs(message), float(message, "value"), integer(message, "timestamp"));
    Series {
        labels: pairs(series),
        samples: samples
            .iter()
            .map(|sample| (integer(sample, "timestamp"), float(sample, "value").to_bits()))
            .chain(histograms.iter().map(|histogram| {
                let sum = float(histogram, "sum").to_bits();
                let count = value(histogram, "count_int").as_u64().expect("a number") as f64;
                (integer(histogram, "timestamp"), if sum == STALE { STALE } else { count.to_bits() })
            }))
            .collect(),
        starts: samples.iter().chain(&histograms).filter_map(start).collect(),
        histograms,
        exemplars: list(series, "exemplars").iter().map(exemplar).collect(),
    }
}

/// The samples of each series of several bodies, by its name.
pub(crate) fn by_name(series: impl IntoIterator<Item = Series>) -> BTreeMap<String, Vec<(i64, Option<f64>)>> {
    let mut all: BTreeMap<String, Vec<(i64, Option<f64>)>> = BTreeMap::new();
    for series in series {
        all.entry(series.name()).or_default().extend(series.values());
    }
    all
}
