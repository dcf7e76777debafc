//! Lines into the queue, from a thread that may wait.

use metricast_records::input::{self, Refusal};
use metricast_records::{Batch, BatchBuilder};
use tokio::runtime::Handle;

use crate::config::defaults::{BATCH_RECORDS, PACKED_TEXT};
use crate::queue::{AppendError, Queue};

/// Packs lines and appends a batch whenever there is enough of it. What is not [flushed](Self::flush) is lost.
#[derive(Debug)]
pub struct Feeder {
    queue: Queue,
    runtime: Handle,
    builder: BatchBuilder,
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
        Self { queue, runtime, builder: BatchBuilder::new() }
    }

    /// Takes a line that came in at `received`, seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`AppendError::Closed`]: the batch with this record is not in the queue.
    ///
    /// # Panics
    /// On a thread of an asynchronous runtime, which must not wait.
    pub fn line(&mut self, line: &[u8], received: f64) -> Result<Fed, AppendError> {
        let record = match input::parse_line(line) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Fed::Nothing),
            Err(refusal) => return Ok(Fed::Refused(refusal)),
        };
        if let Err(full) = self.builder.push(&record.as_ref(), received) {
            return Ok(Fed::Refused(Refusal::new(full.to_string())));
        }
        if self.builder.len() >= BATCH_RECORDS || self.builder.text_len() >= PACKED_TEXT {
            self.flush()?;
        }
        Ok(Fed::Record)
    }

    /// Appends what was packed so far.
    ///
    /// # Errors
    /// [`AppendError::Closed`]
    ///
    /// # Panics
    /// As [`line`](Self::line).
    pub fn flush(&mut self) -> Result<(), AppendError> {
        let batch: Batch = std::mem::take(&mut self.builder).finish();
        self.builder = BatchBuilder::with_room_for(&batch);
        self.runtime.block_on(self.queue.append(batch))
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
                assert_eq!(feeder.line(br#"{"event_name": "e", "start_time": 1}"#, 1.0), Ok(Fed::Record));
            }
            assert_eq!(feeder.line(b" ", 1.0), Ok(Fed::Nothing));
            assert!(matches!(feeder.line(b"{}", 1.0), Ok(Fed::Refused(_))));
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
