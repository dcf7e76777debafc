use std::time::Duration;

use metricast_records::{Batch, BatchBuilder, EventMetrics, MetricsRef};

use super::{AppendError, Queue};

mod durable;
mod falling_behind;
mod notes;

fn batch(records: usize) -> Batch {
    let event = EventMetrics { event_name: "e".into(), status: "completed".into(), ..EventMetrics::default() };
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.push(&MetricsRef::Event(event.as_ref()), 1.0).unwrap();
    }
    builder.finish()
}

#[tokio::test]
async fn every_reader_gets_every_batch_at_its_place() {
    let queue = Queue::in_memory(1 << 20);
    let mut readers = [queue.reader(), queue.reader()];
    queue.append(batch(2)).await.unwrap();
    queue.append(batch(3)).await.unwrap();
    queue.close();
    let mut epochs = Vec::new();
    for reader in &mut readers {
        let mut places = Vec::new();
        while let Some(entry) = reader.next().await {
            places.push((entry.first, entry.next, entry.batch.offsets().to_vec()));
            epochs.push(entry.batch.epoch().to_owned());
        }
        assert_eq!(places, [(0, 2, vec![0, 1]), (2, 5, vec![2, 3, 4])]);
    }
    epochs.dedup();
    assert_eq!(epochs.len(), 1);
    assert_eq!(epochs[0].len(), 24);
    assert_ne!(Queue::in_memory(1).0.lock().epoch, epochs[0]);
}

#[tokio::test]
async fn an_entry_goes_when_the_slowest_reader_has_released_it() {
    let queue = Queue::in_memory(1 << 20);
    let (quick, slow) = (queue.reader(), queue.reader());
    queue.append(batch(2)).await.unwrap();
    queue.append(batch(2)).await.unwrap();
    quick.release(4);
    assert_eq!((quick.lag(), slow.lag(), queue.fill().records), (0, 4, 4));
    assert!(queue.fill().bytes > 0);
    slow.release(3);
    assert_eq!(queue.fill().bytes, batch(2).byte_len());
    drop(slow);
    assert_eq!((queue.fill().records, queue.fill().bytes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_source_wait() {
    let queue = Queue::in_memory(batch(3).byte_len());
    let reader = queue.reader();
    queue.append(batch(3)).await.unwrap();
    let patience = Duration::from_secs(1);
    assert_eq!(queue.append_within(batch(1), patience).await, Err(AppendError::Full));
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.append(batch(1)).await }
    });
    tokio::time::sleep(patience).await;
    assert!(!waiting.is_finished());
    reader.release(3);
    assert_eq!(waiting.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_batch_that_is_larger_than_the_queue_goes_in_alone() {
    let queue = Queue::in_memory(1);
    let reader = queue.reader();
    queue.append(batch(9)).await.unwrap();
    assert_eq!(queue.append_within(batch(1), Duration::ZERO).await, Err(AppendError::Full));
    assert_eq!(queue.append_within(batch(0), Duration::ZERO).await, Ok(()), "nothing needs no room");
    reader.release(9);
    queue.append_within(batch(1), Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_closed_queue_takes_nothing_and_lets_waiters_go() {
    let queue = Queue::in_memory(1);
    let mut reader = queue.reader();
    queue.append(batch(1)).await.unwrap();
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.append(batch(1)).await }
    });
    tokio::task::yield_now().await;
    queue.close();
    assert_eq!(waiting.await.unwrap(), Err(AppendError::Closed));
    assert_eq!(queue.append(batch(1)).await, Err(AppendError::Closed));
    assert!(reader.next().await.is_some());
    assert!(reader.next().await.is_none());
}
