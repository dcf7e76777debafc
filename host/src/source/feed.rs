//! Lines into the queue, from a thread that may wait.

use metricast_records::input::{self, Refusal};
use metricast_records::{Batch, BatchBuilder};
use metricast_store::meta::Letter;
use tokio::runtime::Handle;

use crate::config::defaults::{BATCH_RECORDS, PACKED_TEXT};
use crate::queue::note::{InputPlace, Note};
use crate::queue::{AppendError, Queue, letters};

/// Refused lines that are filed together.
const BATCH_REFUSED: usize = 100;

/// Packs lines and appends a batch whenever there is enough of it. What is not [flushed](Self::flush) is lost.
#[derive(Debug)]
pub struct Feeder {
    queue: Queue,
    runtime: Handle,
    builder: BatchBuilder,
    place: Option<InputPlace>,
    /// Refused lines that are to be dead letters.
    refused: Vec<Letter>,
}

/// What a line was.
#[derive(Debug, PartialEq, Eq)]
pub enum Fed {
    /// A record: it is in the queue or in the batch that goes there next.
    Record,
    /// Blank.
    Nothing,
    /// No record.
    Refused(Refusal),
}

impl Feeder {
    /// Feeds `queue`, waiting on `runtime` where it is full.
    pub fn new(queue: Queue, runtime: Handle) -> Self {
        Self { queue, runtime, builder: BatchBuilder::new(), place: None, refused: Vec::new() }
    }

    /// The lines that come next are of an input, behind this place in it, which is kept with them.
    pub(crate) fn at(&mut self, place: Option<InputPlace>) {
        self.place = place;
    }

    /// The last line went so many bytes on in its input.
    pub(crate) fn past(&mut self, bytes: u64) {
        if let Some(place) = &mut self.place {
            place.bytes += bytes;
            place.line += 1;
        }
    }

    /// Takes a line that came in at `received`, seconds since the Unix epoch.
    pub fn line(&mut self, line: &[u8], received: f64) -> Fed {
        let record = match input::parse_line(line) {
            Ok(Some(record)) => record,
            Ok(None) => return Fed::Nothing,
            Err(refusal) => return Fed::Refused(refusal),
        };
        match self.builder.push(&record.as_ref(), received) {
            Ok(()) => Fed::Record,
            Err(full) => Fed::Refused(Refusal::new(full.to_string())),
        }
    }

    /// A line of a source is no record: where the queue lasts, it becomes a dead letter.
    pub fn refused(&mut self, source: &str, line: u64, raw: &[u8], reason: &str) {
        if self.queue.is_durable() {
            self.refused.push(letters::refused(source, line, raw, reason));
        }
    }

    /// Appends what was packed so far, where that is enough for a batch.
    ///
    /// # Errors
    /// [`AppendError`] but [`Full`](AppendError::Full): the batch is not in the queue.
    ///
    /// # Panics
    /// On a thread of an asynchronous runtime, which must not wait.
    pub fn flush_if_enough(&mut self) -> Result<(), AppendError> {
        let is_enough = self.builder.len() >= BATCH_RECORDS
            || self.builder.text_len() >= PACKED_TEXT
            || self.refused.len() >= BATCH_REFUSED;
        if is_enough { self.flush() } else { Ok(()) }
    }

    /// Appends what was packed so far.
    ///
    /// # Errors
    /// As [`flush_if_enough`](Self::flush_if_enough).
    ///
    /// # Panics
    /// As [`flush_if_enough`](Self::flush_if_enough).
    pub fn flush(&mut self) -> Result<(), AppendError> {
        // First: who reads on from the place that comes with the records does not see these lines again.
        let refused = std::mem::take(&mut self.refused);
        if let Err(error) = self.runtime.block_on(self.queue.file(refused)) {
            tracing::error!("refused lines are not kept as dead letters: {error}");
        }
        let batch: Batch = std::mem::take(&mut self.builder).finish();
        self.builder = BatchBuilder::with_room_for(&batch);
        if batch.is_empty() {
            return Ok(());
        }
        let note = Note { place: self.place.clone(), ..Note::default() };
        self.runtime.block_on(self.queue.append_with(batch, note))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn lines_come_to_the_queue_in_batches() {
        let queue = Queue::in_memory(64 << 20);
        let mut reader = queue.reader();
        let mut feeder = Feeder::new(queue.clone(), Handle::current());
        let fed = std::thread::spawn(move || {
            for _ in 0..=BATCH_RECORDS {
                assert_eq!(feeder.line(br#"{"event_name": "e", "start_time": 1}"#, 1.0), Fed::Record);
                feeder.flush_if_enough().unwrap();
            }
            assert_eq!(feeder.line(b" ", 1.0), Fed::Nothing);
            assert!(matches!(feeder.line(b"{}", 1.0), Fed::Refused(_)));
            feeder.flush()
        });
        fed.join().unwrap().unwrap();
        queue.close();
        let mut lengths = Vec::new();
        while let Some(entry) = reader.next().await {
            lengths.push(entry.batch.len());
        }
        assert_eq!(lengths, [BATCH_RECORDS, 1]);
    }
}
