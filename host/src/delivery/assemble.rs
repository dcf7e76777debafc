//! Cuts what the queue gives into batches of the size that a publisher wants.
//!
//! A batch covers a run of offsets without a gap. An entry that has the right size goes through as it is; smaller ones
//! are joined, larger ones are cut by offset.

use std::collections::VecDeque;
use std::sync::Arc;

use metricast_records::{Batch, BatchBuilder};
use tokio::time::{Instant, sleep_until};

use crate::config::Batching;
use crate::queue::{Entry, Reader};

pub(super) struct Assembler {
    reader: Reader,
    limits: Batching,
    /// Parts of entries, none larger than a batch may be, unless it is one record.
    waiting: VecDeque<Entry>,
    records: usize,
    bytes: usize,
    due: Instant,
}

impl Assembler {
    pub(super) fn new(reader: Reader, limits: Batching) -> Self {
        Self { reader, limits, waiting: VecDeque::new(), records: 0, bytes: 0, due: Instant::now() }
    }

    pub(super) fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn reader_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }

    /// Of the batches to come.
    pub(super) fn set_limits(&mut self, limits: Batching) {
        self.limits = limits;
    }

    /// The next batch, or none at the queue's end. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Entry> {
        loop {
            if self.is_full() {
                return self.take();
            }
            let read = match self.waiting.front() {
                None => self.reader.next().await,
                Some(first) => {
                    let hurried = self.reader.hurried(first.first);
                    tokio::select! {
                        biased;
                        read = self.reader.next() => read,
                        () = hurried => return self.take(),
                        () = sleep_until(self.due) => return self.take(),
                    }
                }
            };
            match read {
                Some(entry) => self.add(&entry),
                None => return self.take(),
            }
        }
    }

    fn is_full(&self) -> bool {
        self.records >= self.limits.max_records || self.bytes >= self.limits.max_bytes
    }

    fn add(&mut self, entry: &Entry) {
        if self.waiting.is_empty() {
            self.due = Instant::now() + self.limits.max_age;
        }
        let goes_as_it_is = entry.again || entry.batch.is_empty();
        let parts = if goes_as_it_is { vec![entry.clone()] } else { cut(entry, &self.limits) };
        for part in parts {
            self.records += weight(&part);
            self.bytes += part.batch.byte_len();
            self.waiting.push_back(part);
        }
    }

    /// One batch of as many of the waiting parts as it may hold.
    fn take(&mut self) -> Option<Entry> {
        let first = self.waiting.pop_front()?;
        let (mut records, mut bytes) = (weight(&first), first.batch.byte_len());
        let mut parts = vec![first];
        while let Some(part) = self.waiting.pop_front_if(|part| {
            records + weight(part) <= self.limits.max_records
                && bytes + part.batch.byte_len() <= self.limits.max_bytes
                && parts.iter().all(|before| go_together(before, part))
        }) {
            records += weight(&part);
            bytes += part.batch.byte_len();
            parts.push(part);
        }
        self.records -= records;
        self.bytes -= bytes;
        Some(join(parts))
    }
}

/// What it counts for in a batch; what holds no records is not for nothing either.
fn weight(entry: &Entry) -> usize {
    entry.batch.len().max(1)
}

/// One batch holds one epoch, and what was in the queue before goes by itself.
fn go_together(a: &Entry, b: &Entry) -> bool {
    let one_epoch = a.batch.is_empty() || b.batch.is_empty() || a.batch.epoch() == b.batch.epoch();
    one_epoch && !a.again && !b.again
}

fn join(mut parts: Vec<Entry>) -> Entry {
    let (first, next) = (parts[0].first, parts[parts.len() - 1].next);
    if parts.len() == 1 {
        return parts.swap_remove(0);
    }
    let mut builder = BatchBuilder::new();
    for part in parts.iter().filter(|part| !part.batch.is_empty()) {
        append(&mut builder, &part.batch, 0..part.batch.len());
    }
    Entry { batch: Arc::new(builder.finish()), first, next, again: false }
}

fn cut(entry: &Entry, limits: &Batching) -> Vec<Entry> {
    let records = entry.next - entry.first;
    let by_bytes = entry.batch.byte_len().div_ceil(limits.max_bytes) as u64;
    let by_records = records.div_ceil(limits.max_records as u64);
    let parts = by_bytes.max(by_records).min(records);
    if parts <= 1 {
        return vec![entry.clone()];
    }
    let step = records.div_ceil(parts);
    let starts = (entry.first..entry.next).step_by(step as usize);
    let parts = starts.map(|first| part(entry, first, (first + step).min(entry.next)));
    // Parts of as many records are not of as many bytes.
    parts.flat_map(|part| cut(&part, limits)).collect()
}

fn part(entry: &Entry, first: u64, next: u64) -> Entry {
    let mut builder = BatchBuilder::new();
    append(&mut builder, &entry.batch, entry.batch.rows_at(first..next));
    Entry { batch: Arc::new(builder.finish()), first, next, again: false }
}

fn append(builder: &mut BatchBuilder, batch: &Batch, rows: impl IntoIterator<Item = usize>) {
    builder.append(batch, rows).expect("a publisher's batch is far below 4 GiB");
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metricast_records::{EventMetrics, Metrics, NetworkMetrics};

    use super::*;
    use crate::queue::Queue;

    /// `counts` batches of alternating events and networks.
    async fn assembler(max_records: usize, max_bytes: usize, counts: &[usize]) -> (Queue, Assembler) {
        let queue = Queue::in_memory(64 << 20);
        let limits = Batching { max_records, max_bytes, max_age: Duration::from_secs(1) };
        let assembler = Assembler::new(queue.reader(), limits);
        for &count in counts {
            queue.append(mixed(count)).await.unwrap();
        }
        (queue, assembler)
    }

    fn mixed(count: usize) -> Batch {
        let event = Metrics::Event(EventMetrics {
            event_name: "e".into(),
            status: "completed".into(),
            ..EventMetrics::default()
        });
        let network =
            Metrics::Network(NetworkMetrics { operation: "o".into(), host: "h".into(), ..NetworkMetrics::default() });
        let mut builder = BatchBuilder::new();
        for index in 0..count {
            let record = if index % 2 == 0 { &event } else { &network };
            builder.push(&record.as_ref(), 1.0).unwrap();
        }
        builder.finish()
    }

    async fn ranges(mut assembler: Assembler) -> Vec<(u64, u64)> {
        let mut ranges = Vec::new();
        while let Some(entry) = assembler.next().await {
            let mut offsets = entry.batch.offsets().to_vec();
            offsets.sort_unstable();
            assert_eq!(offsets, (entry.first..entry.next).collect::<Vec<_>>());
            ranges.push((entry.first, entry.next));
        }
        ranges
    }

    #[tokio::test]
    async fn small_entries_are_joined() {
        let (queue, assembler) = assembler(10, 1 << 20, &[3, 3, 3, 3, 3]).await;
        queue.close();
        assert_eq!(ranges(assembler).await, [(0, 9), (9, 15)]);
    }

    #[tokio::test]
    async fn large_entries_are_cut_without_a_gap() {
        let (queue, assembler) = assembler(10, 1 << 20, &[25, 4]).await;
        queue.close();
        assert_eq!(ranges(assembler).await, [(0, 9), (9, 18), (18, 25), (25, 29)]);
    }

    #[tokio::test]
    async fn bytes_bound_a_batch_too() {
        let (queue, assembler) = assembler(1_000, mixed(6).byte_len(), &[24]).await;
        queue.close();
        let ranges = ranges(assembler).await;
        assert!(ranges.len() >= 4, "{ranges:?}");
        assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), (0, 24));
    }

    #[tokio::test]
    async fn large_records_beside_each_other_do_not_make_a_large_batch() {
        let mut builder = BatchBuilder::new();
        for index in 0..100_usize {
            // The first ten weigh nearly all, each with a text of its own.
            let error = (index < 10).then(|| format!("{index:0>10000}"));
            let (event_name, status) = ("e".into(), "failed".into());
            let event = EventMetrics { event_name, status, error, ..EventMetrics::default() };
            builder.push(&Metrics::Event(event).as_ref(), 1.0).unwrap();
        }
        let (most, queue) = (30_000, Queue::in_memory(64 << 20));
        let limits = Batching { max_records: 1_000, max_bytes: most, max_age: Duration::from_secs(1) };
        let mut assembler = Assembler::new(queue.reader(), limits);
        queue.append(builder.finish()).await.unwrap();
        queue.close();
        let mut next = 0;
        while let Some(entry) = assembler.next().await {
            assert_eq!(entry.first, next);
            next = entry.next;
            let bytes = entry.batch.byte_len();
            assert!(bytes <= most, "{bytes} bytes in {}..{}", entry.first, entry.next);
        }
        assert_eq!(next, 100);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_handed_over_when_its_time_is_up() {
        let (_queue, mut assembler) = assembler(10, 1 << 20, &[2, 1]).await;
        let began = Instant::now();
        let entry = assembler.next().await.unwrap();
        assert_eq!((entry.first, entry.next, began.elapsed()), (0, 3, Duration::from_secs(1)));
    }

    #[tokio::test]
    async fn an_entry_of_the_right_size_is_not_copied() {
        let (queue, mut assembler) = assembler(10, 1 << 20, &[10]).await;
        let mut other = queue.reader();
        let (ours, theirs) = (assembler.next().await.unwrap(), other.next().await.unwrap());
        assert!(Arc::ptr_eq(&ours.batch, &theirs.batch));
    }
}
