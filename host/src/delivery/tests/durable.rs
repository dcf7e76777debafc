//! A delivery whose queue is kept: what lasts, and what goes on after a crash.

use super::scripted::rejected;
use super::*;
use crate::queue::forgetful::{Forgetful, Fuse, Medium, Mood};
use crate::queue::{Start, WhenBehind};

fn open(medium: &Medium) -> (Forgetful, Queue) {
    Forgetful::open(medium, Mood::good(), Fuse::none(), 1 << 20)
}

async fn start_kept(script: &Script, queue: &Queue) -> Delivery<Script> {
    let reader = queue.reader_of("p", WhenBehind::Block, Start::Now).await.unwrap();
    Delivery::start_on("p", script.clone(), reader, settings(), |leg| tokio::spawn(leg))
}

fn cursor(medium: &Medium) -> u64 {
    medium.publisher("p").unwrap().cursor.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_kept_is_tried_again_and_not_without_a_pause() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let script = Script::default().stateful();
    let delivery = start_kept(&script, &queue).await;
    delivery.opened().await;
    sleep(Duration::from_secs(1)).await;
    kept.set_mood(Mood { bad_appends: 0, ..Mood::bad() });
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(2)).await;
    // While its backend is away it gives no snapshot, and what was not kept is not asked for either.
    let away = script.always(|_| Err(unavailable(None)));
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_mins(10)).await;
    assert_eq!((cursor(&medium), delivery.status().unkept().is_some()), (0, true));
    kept.set_mood(Mood::good());
    let _script = away.always(|batch| Ok(all(batch)));
    sleep(Duration::from_mins(1)).await;
    assert_eq!((cursor(&medium), delivery.status().unkept()), (10, None));
}

#[tokio::test(start_paused = true)]
async fn a_state_goes_on_after_a_start_where_the_last_records_were_rejected() {
    let medium = Medium::default();
    let (kept, queue) = open(&medium);
    let script = Script::default().stateful().then(|batch| Ok(all(batch))).always(|batch| Ok(rejected(batch)));
    let delivery = start_kept(&script, &queue).await;
    for _ in 0..2 {
        queue.append(batch(5)).await.unwrap();
        sleep(Duration::from_secs(3)).await;
    }
    assert_eq!((cursor(&medium), medium.state("p").unwrap().next_offset), (10, 5));
    kept.crash();
    drop(delivery);
    let (_kept, queue) = open(&medium);
    let delivery = start_kept(&script, &queue).await;
    queue.append(batch(5)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert_eq!((cursor(&medium), delivery.status().phase()), (15, Phase::Running));
    assert_eq!(medium.letters().len(), 10);
}
