//! Reading a snapshot: first all of it, then into the registry.

use super::bytes::Bytes;
use super::{COUNTER, GAUGE, HISTOGRAM, MAGIC, MAX_COUNT, MAX_COUNTER, Restored, SnapshotError, VERSION};
use crate::cap::MAX_LABEL_BYTES;
use crate::histogram::{Buckets, Histograms};
use crate::labels::LabelTable;
use crate::registry::{Place, Registry};
use crate::sum::Sum;

/// Puts the state in `bytes` in the place of what `registry` has counted.
///
/// # Errors
/// Where the bytes are damaged, of another version, or no snapshot at all; then nothing was changed.
pub fn restore(registry: &mut Registry, bytes: &[u8]) -> Result<Restored, SnapshotError> {
    let mut bytes = Bytes(checked(bytes)?);
    let watermark = bytes.u64()?;
    let mut families: Vec<Saved<'_>> = Vec::new();
    for _ in 0..bytes.count(1)? {
        let saved = family(&mut bytes)?;
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
    labels: LabelTable,
    cells: Cells,
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

fn family<'a>(bytes: &mut Bytes<'a>) -> Result<Saved<'a>, SnapshotError> {
    let name = bytes.text()?;
    let kind = bytes.u8()?;
    let label_names = (0..bytes.count(4)?).map(|_| bytes.text()).collect::<Result<Vec<_>, _>>()?;
    let mut cells = match kind {
        COUNTER => Cells::Counters(Vec::new()),
        GAUGE => Cells::Gauges(Vec::new()),
        HISTOGRAM => Cells::Histograms(Histograms::new(buckets(bytes)?)),
        _ => return Err(SnapshotError::Malformed("a family has an unknown kind")),
    };
    let overflowed = bytes.u64()?;
    if overflowed > MAX_COUNT {
        return Err(SnapshotError::Malformed("a count is out of range"));
    }
    let mut labels = LabelTable::new(label_names.len());
    for _ in 0..bytes.count(8)? {
        row(bytes, &mut labels)?;
        cell(bytes, &mut cells)?;
    }
    Ok(Saved { name, label_names, overflowed, labels, cells })
}

fn buckets(bytes: &mut Bytes<'_>) -> Result<Buckets, SnapshotError> {
    let bounds = (0..bytes.count(8)?).map(|_| bytes.f64()).collect::<Result<Vec<_>, _>>()?;
    Buckets::new(&bounds).map_err(|_| SnapshotError::Malformed("bounds do not ascend"))
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

fn cell(bytes: &mut Bytes<'_>, cells: &mut Cells) -> Result<(), SnapshotError> {
    let out_of_range = SnapshotError::Malformed("a count is out of range");
    match cells {
        Cells::Counters(counters) => match bytes.u128()? {
            count @ ..=MAX_COUNTER => counters.push(count),
            _ => return Err(out_of_range),
        },
        Cells::Gauges(gauges) => gauges.push(bytes.f64()?),
        Cells::Histograms(histograms) => {
            for _ in 0..histograms.buckets.width() {
                match bytes.u64()? {
                    count @ ..=MAX_COUNT => histograms.counts.push(count),
                    _ => return Err(out_of_range),
                }
            }
            histograms.sums.push(Sum { high: bytes.f64()?, low: bytes.f64()? });
        }
    }
    Ok(())
}

fn apply(registry: &mut Registry, saved: Saved<'_>, restored: &mut Restored) {
    let Some(place) = registry.place(saved.name) else {
        restored.dropped.push(saved.name.to_owned());
        return;
    };
    let Saved { name, label_names, overflowed, labels, cells } = saved;
    let same_labels = registry.view(place).descriptor.label_names().eq(label_names);
    match (place, cells) {
        (Place::Counter(at), Cells::Counters(cells)) if same_labels => {
            registry.counters[at].replace(labels, cells, overflowed);
        }
        (Place::Gauge(at), Cells::Gauges(cells)) if same_labels => {
            registry.gauges[at].replace(labels, cells, overflowed);
        }
        (Place::Histogram(at), Cells::Histograms(cells))
            if same_labels && registry.histograms[at].cells.buckets == cells.buckets =>
        {
            registry.histograms[at].replace(labels, cells, overflowed);
        }
        _ => restored.reset.push(name.to_owned()),
    }
}
