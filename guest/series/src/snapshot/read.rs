//! Reading a snapshot: first all of it, then into the registry.

use super::bytes::Bytes;
use super::{COUNTER, GAUGE, HISTOGRAM, MAGIC, MAX_COUNT, MAX_COUNTER, Restored, SnapshotError, VERSION};
use crate::cap::MAX_LABEL_BYTES;
use crate::family::Rows;
use crate::histogram::{Buckets, HistogramForm, Histograms};
use crate::labels::LabelTable;
use crate::native::Native;
use crate::registry::{Place, Registry};
use crate::sum::Sum;

/// Puts the state in `bytes` in the place of what `registry` has counted.
///
/// # Errors
/// Where the bytes are damaged, of another version, or no snapshot at all; then nothing was changed.
pub fn restore(registry: &mut Registry, bytes: &[u8]) -> Result<Restored, SnapshotError> {
    let mut bytes = Bytes(checked(bytes)?);
    let watermark = bytes.u64()?;
    let turn = bytes.u32()?;
    let mut families: Vec<Saved<'_>> = Vec::new();
    for _ in 0..bytes.count(1)? {
        let saved = family(&mut bytes, turn)?;
        if families.iter().any(|earlier| earlier.name == saved.name) {
            return Err(SnapshotError::Malformed("a family is there twice"));
        }
        families.push(saved);
    }
    if !bytes.0.is_empty() {
        return Err(SnapshotError::Malformed("something follows its end"));
    }
    let mut restored = Restored { watermark, reset: Vec::new(), dropped: Vec::new() };
    registry.clear();
    registry.birth.turn = turn;
    for saved in families {
        apply(registry, saved, &mut restored);
    }
    Ok(restored)
}

/// A family as it was saved.
struct Saved<'a> {
    name: &'a str,
    label_names: Vec<&'a str>,
    overflowed: u64,
    rows: Rows<Cells>,
}

enum Cells {
    Counters(Vec<u128>),
    Gauges(Vec<f64>),
    Histograms(Histograms),
}

/// The part that the checksum covers, if it does.
fn checked(bytes: &[u8]) -> Result<&[u8], SnapshotError> {
    let mut bytes = Bytes(bytes.strip_prefix(MAGIC).ok_or(SnapshotError::NotASnapshot)?);
    let found = bytes.u32()?;
    if found != VERSION {
        return Err(SnapshotError::Version { found });
    }
    let checksum = bytes.u32()?;
    if crc32fast::hash(bytes.0) != checksum {
        return Err(SnapshotError::Checksum);
    }
    Ok(bytes.0)
}

fn family<'a>(bytes: &mut Bytes<'a>, turn: u32) -> Result<Saved<'a>, SnapshotError> {
    let name = bytes.text()?;
    let kind = bytes.u8()?;
    let label_names = (0..bytes.count(4)?).map(|_| bytes.text()).collect::<Result<Vec<_>, _>>()?;
    let cells = match kind {
        COUNTER => Cells::Counters(Vec::new()),
        GAUGE => Cells::Gauges(Vec::new()),
        HISTOGRAM => Cells::Histograms(Histograms::new(buckets(bytes)?, form(bytes)?)),
        _ => return Err(SnapshotError::Malformed("a family has an unknown kind")),
    };
    let overflowed = count(bytes)?;
    let labels = LabelTable::new(label_names.len());
    let mut rows = Rows { labels, cells, starts: Vec::new(), touched: Vec::new() };
    for _ in 0..bytes.count(8)? {
        row(bytes, &mut rows.labels)?;
        rows.starts.push(start(bytes)?);
        rows.touched.push(bytes.u32()?);
        cell(bytes, &mut rows.cells)?;
    }
    if rows.touched.iter().any(|touched| *touched > turn) {
        return Err(SnapshotError::Malformed("a series is from a later turn"));
    }
    Ok(Saved { name, label_names, overflowed, rows })
}

fn buckets(bytes: &mut Bytes<'_>) -> Result<Buckets, SnapshotError> {
    let bounds = (0..bytes.count(8)?).map(|_| bytes.f64()).collect::<Result<Vec<_>, _>>()?;
    Buckets::new(&bounds).map_err(|_| SnapshotError::Malformed("bounds do not ascend"))
}

fn form(bytes: &mut Bytes<'_>) -> Result<HistogramForm, SnapshotError> {
    match bytes.u8()? {
        0 => Ok(HistogramForm::Classic),
        1 => Ok(HistogramForm::Both),
        _ => Err(SnapshotError::Malformed("a histogram has an unknown form")),
    }
}

fn row(bytes: &mut Bytes<'_>, labels: &mut LabelTable) -> Result<(), SnapshotError> {
    let values = (0..labels.width()).map(|_| bytes.text()).collect::<Result<Vec<_>, _>>()?;
    if values.iter().any(|value| value.len() > MAX_LABEL_BYTES) {
        return Err(SnapshotError::Malformed("a label value is too long"));
    }
    if labels.find(&values.iter().copied()).is_some() {
        return Err(SnapshotError::Malformed("a series is there twice"));
    }
    labels.insert(values.iter().copied());
    Ok(())
}

fn start(bytes: &mut Bytes<'_>) -> Result<f64, SnapshotError> {
    let start = bytes.f64()?;
    if start.is_finite() { Ok(start) } else { Err(SnapshotError::Malformed("a start is no time")) }
}

fn cell(bytes: &mut Bytes<'_>, cells: &mut Cells) -> Result<(), SnapshotError> {
    match cells {
        Cells::Counters(counters) => match bytes.u128()? {
            count @ ..=MAX_COUNTER => counters.push(count),
            _ => return Err(OUT_OF_RANGE),
        },
        Cells::Gauges(gauges) => gauges.push(bytes.f64()?),
        Cells::Histograms(histograms) => histogram(bytes, histograms)?,
    }
    Ok(())
}

fn histogram(bytes: &mut Bytes<'_>, histograms: &mut Histograms) -> Result<(), SnapshotError> {
    let counts = (0..histograms.buckets.width()).map(|_| count(bytes)).collect::<Result<Vec<_>, _>>()?;
    histograms.sums.push(Sum { high: bytes.f64()?, low: bytes.f64()? });
    if histograms.form.has_native() {
        histograms.natives.push(native(bytes, counts.iter().sum())?);
    }
    histograms.counts.extend(counts);
    Ok(())
}

/// The native buckets of `values` values.
fn native(bytes: &mut Bytes<'_>, values: u64) -> Result<Native, SnapshotError> {
    let (zero, halvings, first) = (count(bytes)?, bytes.u8()?, bytes.i32()?);
    let counts = (0..bytes.count(8)?).map(|_| count(bytes)).collect::<Result<Vec<_>, _>>()?;
    let native = Native::restored(zero, halvings, first, counts);
    let fits =
        |native: &Native| native.counts.iter().fold(native.zero, |sum, count| sum.saturating_add(*count)) == values;
    native.filter(fits).ok_or(SnapshotError::Malformed("native buckets do not fit"))
}

const OUT_OF_RANGE: SnapshotError = SnapshotError::Malformed("a count is out of range");

fn count(bytes: &mut Bytes<'_>) -> Result<u64, SnapshotError> {
    match bytes.u64()? {
        count @ ..=MAX_COUNT => Ok(count),
        _ => Err(OUT_OF_RANGE),
    }
}

fn apply(registry: &mut Registry, saved: Saved<'_>, restored: &mut Restored) {
    let Some(place) = registry.place(saved.name) else {
        restored.dropped.push(saved.name.to_owned());
        return;
    };
    let Saved { name, label_names, overflowed, rows: Rows { labels, cells, starts, touched } } = saved;
    let same_labels = registry.descriptor(place).label_names().eq(label_names);
    match (place, cells) {
        (Place::Counter(at), Cells::Counters(cells)) if same_labels => {
            registry.counters[at].replace(Rows { labels, cells, starts, touched }, overflowed);
        }
        (Place::Gauge(at), Cells::Gauges(cells)) if same_labels => {
            registry.gauges[at].replace(Rows { labels, cells, starts, touched }, overflowed);
        }
        (Place::Histogram(at), Cells::Histograms(mut cells))
            if same_labels && cells.can_become(&registry.histograms[at].rows.cells) =>
        {
            cells.reform(registry.histograms[at].rows.cells.form);
            registry.histograms[at].replace(Rows { labels, cells, starts, touched }, overflowed);
        }
        _ => restored.reset.push(name.to_owned()),
    }
}
