//! What came with records and outlives them.

use super::super::forgetful::{Medium, Mood};
use super::super::note::{InputPlace, Note, Request};
use super::super::remembered::Recalled;
use super::super::{Start, state::State};
use super::durable::{commit, open, reader};
use super::*;

const PATIENCE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_hours(1);

fn request(key: u8) -> Note {
    Note { request: Some(Request::new([key; 32], [1; 32], vec![key])), ..Note::default() }
}

async fn recalled(queue: &Queue, key: u8) -> Option<Vec<u8>> {
    match queue.recall([key; 32], [1; 32]).await.unwrap() {
        Recalled::Answered(answer) => Some(answer),
        Recalled::Fresh(_) => None,
        Recalled::OtherBody | Recalled::UnderWay => panic!("nobody else asked"),
    }
}

fn needed_from(queue: &Queue) -> u64 {
    let state: &State = &queue.0.lock();
    state.needed_from()
}

#[tokio::test(start_paused = true)]
async fn a_request_and_a_place_are_known_after_a_crash_wherever_they_are() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let place = InputPlace { input: "in".into(), bytes: 7, line: 3, ended: false };
    queue.append_noted(batch(1), request(1), PATIENCE).await.unwrap();
    let both = Note { place: Some(place.clone()), ..request(2) };
    queue.append_noted(batch(1), both, PATIENCE).await.unwrap();
    assert_eq!(recalled(&queue, 1).await, Some(vec![1]));
    kept.crash();
    let (kept, queue) = open(&medium);
    assert_eq!((recalled(&queue, 1).await, recalled(&queue, 2).await), (Some(vec![1]), Some(vec![2])), "from the log");
    assert_eq!(queue.place_of("in").unwrap().as_ref(), Some(&place));
    queue.keep_notes().await;
    kept.crash();
    let (_kept, queue) = open(&medium);
    assert_eq!(
        (recalled(&queue, 1).await, recalled(&queue, 2).await),
        (Some(vec![1]), Some(vec![2])),
        "from the database"
    );
    assert_eq!(queue.place_of("in").unwrap(), Some(place));
    assert_eq!(recalled(&queue, 3).await, None);
    assert!(matches!(queue.recall([1; 32], [9; 32]).await, Ok(Recalled::OtherBody)));
}

#[tokio::test(start_paused = true)]
async fn a_place_that_ended_is_forgotten() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let place = |ended| InputPlace { input: "in".into(), bytes: 7, line: 3, ended };
    let note = |ended| Note { place: Some(place(ended)), ..Note::default() };
    queue.append_noted(batch(1), note(false), PATIENCE).await.unwrap();
    queue.keep_notes().await;
    queue.append_noted(batch(1), note(true), PATIENCE).await.unwrap();
    kept.crash();
    let (_kept, queue) = open(&medium);
    assert_eq!(queue.place_of("in").unwrap(), None);
    queue.keep_notes().await;
    assert_eq!(queue.place_of("in").unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn the_log_stays_while_it_alone_has_a_note_after_a_start_too() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let before = reader(&queue, "p", Start::Now).await;
    queue.append(batch(2)).await.unwrap();
    queue.append_noted(batch(1), request(1), PATIENCE).await.unwrap();
    commit(&before, 3).await;
    assert_eq!(needed_from(&queue), 2);
    kept.crash();
    let (_kept, queue) = open(&medium);
    let _reader = reader(&queue, "p", Start::Now).await;
    assert_eq!(needed_from(&queue), 2);
    queue.keep_notes().await;
    assert_eq!(needed_from(&queue), 3);
}

#[tokio::test(start_paused = true)]
async fn a_note_that_comes_while_others_are_kept_holds_the_log_too() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let reader = reader(&queue, "p", Start::Now).await;
    queue.append_noted(batch(1), request(1), PATIENCE).await.unwrap();
    kept.set_mood(Mood::slow(LONG));
    let keeping = tokio::spawn({
        let queue = queue.clone();
        async move { queue.keep_notes().await }
    });
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(!keeping.is_finished());
    kept.set_mood(Mood::good());
    queue.append_noted(batch(1), request(2), PATIENCE).await.unwrap();
    keeping.await.unwrap();
    commit(&reader, 2).await;
    assert_eq!(needed_from(&queue), 1, "the second is in the log only");
    queue.keep_notes().await;
    assert_eq!(needed_from(&queue), 2);
}

#[tokio::test(start_paused = true)]
async fn notes_that_cannot_be_kept_are_tried_again() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let reader = reader(&queue, "p", Start::Now).await;
    queue.append_noted(batch(1), request(1), PATIENCE).await.unwrap();
    commit(&reader, 1).await;
    kept.set_mood(Mood::bad());
    queue.keep_notes().await;
    assert_eq!(needed_from(&queue), 0);
    kept.set_mood(Mood::good());
    queue.keep_notes().await;
    assert_eq!(needed_from(&queue), 1);
    kept.crash();
    assert_eq!(recalled(&open(&medium).1, 1).await, Some(vec![1]));
}
