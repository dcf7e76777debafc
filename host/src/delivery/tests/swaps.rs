//! Another plugin in the place of one that delivers: with its state, and no record twice or never.

use super::*;
use crate::plugin::PublishError;

/// Records that come one after the other, and what a swap in between gives.
async fn swapped(
    before: &Script,
    after: &Script,
    act: impl AsyncFnOnce(&Delivery<Script>, &Queue),
) -> (Delivery<Script>, Queue) {
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(before, &queue, settings());
    delivery.opened().await;
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_millis(300)).await;
    act(&delivery, &queue).await;
    queue.append(batch(10)).await.unwrap();
    queue.close();
    delivery.ended().await;
    assert_eq!((delivery.status().phase(), queue.fill().records), (Phase::Done, 0), "{:?}", after.calls());
    (delivery, queue)
}

async fn swap(delivery: &Delivery<Script>, to: &Script) {
    delivery.swap(to.clone(), settings()).await.unwrap().go().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_state_goes_over_and_each_record_counts_once() {
    let (before, after) = (Script::default().stateful(), Script::default().stateful());
    let (delivery, _queue) = swapped(&before, &after, async |delivery, _| swap(delivery, &after).await).await;
    assert_eq!(after.applied(), (0..20).collect::<Vec<_>>());
    assert_eq!((counts(&delivery), before.closed()), ((20, 0, 0), 0), "the old one has no last word");
    assert_eq!(after.stored(), (10..20).collect::<Vec<_>>(), "it was given what came after");
}

#[tokio::test(start_paused = true)]
async fn whoever_scrapes_sees_the_one_or_the_other_and_never_none() {
    let (before, after) = (Script::default().stateful(), Script::default().stateful());
    let (_delivery, _queue) = swapped(&before, &after, async |delivery, _| {
        let mut current = delivery.current();
        assert!(current.borrow_and_update().is_some());
        let ready = delivery.swap(after.clone(), settings()).await.unwrap();
        assert!(!current.has_changed().unwrap(), "till all agree the old one is shown");
        ready.go().await.unwrap();
        assert_eq!(current.borrow_and_update().as_ref().map(scripted::Scripted::applied), Some((0..10).collect()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_open_changes_nothing() {
    for stateful in [false, true] {
        let like = |script: Script| if stateful { script.stateful() } else { script };
        let before = like(Script::default());
        let after = like(Script::default().fail_open(PublishError::Misconfigured("no such key".into())));
        let (delivery, _queue) = swapped(&before, &after, async |delivery, _| {
            let refused = delivery.swap(after.clone(), settings()).await.unwrap_err();
            assert_eq!(refused, SwapError::Refused("no such key".into()));
        })
        .await;
        assert_eq!((before.stored().len(), after.stored().len(), counts(&delivery)), (20, 0, (20, 0, 0)));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_others_do_not_agree_to_changes_nothing() {
    let (before, after) = (Script::default().stateful(), Script::default().stateful());
    let (_delivery, _queue) = swapped(&before, &after, async |delivery, _| {
        drop(delivery.swap(after.clone(), settings()).await.unwrap());
    })
    .await;
    assert_eq!((before.applied().len(), after.stored().len()), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_comes_to_a_stop_and_the_new_one_delivers_it() {
    let before = Script::default().always(|_| Err(unavailable(Some(Duration::from_mins(5)))));
    let after = Script::default();
    let (delivery, _queue) = swapped(&before, &after, async |delivery, _| {
        let began = Instant::now();
        swap(delivery, &after).await;
        assert!(began.elapsed() < Duration::from_secs(1), "a backend that is away is not waited for");
    })
    .await;
    assert_eq!((after.stored(), counts(&delivery).0), ((0..20).collect::<Vec<_>>(), 20));
}

#[tokio::test(start_paused = true)]
async fn a_new_one_whose_backend_is_away_opens_when_it_is_there() {
    let before = Script::default().stateful();
    let away = PublishError::Unavailable { reason: "refused".into(), retry_after: None };
    let after = Script::default().stateful().fail_open(away.clone()).fail_open(away);
    let (_delivery, _queue) = swapped(&before, &after, async |delivery, _| swap(delivery, &after).await).await;
    assert_eq!(after.applied(), (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_state_becomes_none_under_another_name_only() {
    let (before, after) = (Script::default().stateful(), Script::default());
    let (_delivery, _queue) = swapped(&before, &after, async |delivery, _| {
        let refused = delivery.swap(after.clone(), settings()).await.unwrap_err();
        assert_eq!(refused, SwapError::OtherKind { stateful: false });
    })
    .await;
    assert_eq!(before.applied().len(), 20);
}

#[tokio::test(start_paused = true)]
async fn one_without_a_state_sends_what_it_holds_before_it_goes() {
    let holds = |pending| Ok(crate::plugin::Flushed { pending, ..Default::default() });
    let before =
        Script::default().flushed_every(Duration::from_millis(100)).flush(holds(3)).flush(holds(1)).flush(holds(0));
    let after = Script::default();
    let (_delivery, _queue) = swapped(&before, &after, async |delivery, _| swap(delivery, &after).await).await;
    assert!(before.flushed() >= 3, "{}", before.flushed());
    assert_eq!(before.closed(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_told_to_go_waits_for_no_backend_and_closes() {
    let script = Script::default().instances(1).then(|batch| Ok(all(batch))).always(|_| Err(unavailable(None)));
    let queue = Queue::in_memory(1 << 20);
    let mut delivery = start(&script, &queue, settings());
    queue.append(batch(10)).await.unwrap();
    queue.append(batch(10)).await.unwrap();
    sleep(Duration::from_secs(5)).await;
    assert_eq!(queue.fill().records, 10);
    delivery.retire().await;
    timeout(Duration::from_secs(1), delivery.ended()).await.expect("a backend that is away is not waited for");
    assert_eq!((counts(&delivery).0, script.closed()), (10, script.opened()));
    assert_eq!(queue.fill().records, 0, "in memory its place goes with it");
}
