//! The real records that the project ships, packed into batches.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use metricast_records::input::{self, Parsed};
use metricast_records::{Batch, BatchBuilder};

/// Records of a round, whatever the size of its batches.
pub(crate) const RECORDS: usize = 10_000;

/// The sizes of batches, in records.
pub(crate) const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];

/// When the records are said to have been taken in.
const RECEIVED: f64 = 1_795_305_600.0;

/// One round's batches.
pub(crate) type Batches = Arc<[Arc<Batch>]>;

/// The records, cut into batches of each of [`SIZES`].
///
/// With an epoch they have their places in a queue, as the host's records do. Without one they can be published over
/// and over to a plugin that counts each place once.
pub(crate) fn batches(epoch: &str) -> Result<[Batches; SIZES.len()]> {
    let path = xtask::workspace().join("tests/data/event-pipeline.ndjson");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.split(|&byte| byte == b'\n');
    let parsed: Vec<_> = lines.filter_map(|line| input::parse_line(line).transpose()).collect::<Result<_, _>>()?;
    ensure!(!parsed.is_empty(), "there is no record in {}", path.display());
    let records: Vec<_> = parsed.iter().cycle().take(RECORDS).collect();
    let cut =
        SIZES.map(|size| records.chunks(size).enumerate().map(|(at, part)| pack(part, epoch, at * size)).collect());
    cut.into_iter().collect::<Result<Vec<_>>>()?.try_into().ok().context("a list a size")
}

fn pack(records: &[&Parsed<'_>], epoch: &str, first: usize) -> Result<Arc<Batch>> {
    let mut builder = BatchBuilder::new();
    for record in records {
        builder.push(&record.as_ref(), RECEIVED)?;
    }
    Ok(Arc::new(builder.finish().placed(epoch, first as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_the_same_records_in_full_batches() {
        let all = batches("e").unwrap();
        for (batches, size) in all.iter().zip(SIZES) {
            assert_eq!(batches.len() * size, RECORDS);
            assert!(batches.iter().all(|batch| batch.len() == size));
            let mut offsets: Vec<_> = batches.iter().flat_map(|batch| batch.offsets()).copied().collect();
            offsets.sort_unstable();
            assert!(offsets.into_iter().eq(0..RECORDS as u64));
        }
    }
}
