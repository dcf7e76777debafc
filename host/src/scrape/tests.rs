use std::time::Duration;

use futures::future::join_all;
use tokio::time::{sleep, timeout};

use super::*;
use crate::delivery::Opener as _;
use crate::delivery::scripted::{FOR_EVER, Script, Scripted};

const SECOND: Duration = Duration::from_secs(1);

/// A publisher that is open.
async fn scraped(script: &Script) -> (Scraped<Scripted>, watch::Sender<Option<Scripted>>) {
    let (current, instance) = watch::channel(Some(script.open(None).await.unwrap()));
    (Scraped::new(instance, Arc::default()), current)
}

/// The page's text.
fn page(answer: Result<Option<Exposition>, Refusal>) -> String {
    String::from_utf8(answer.unwrap().unwrap().body.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn scrapes_that_ask_for_the_same_at_the_same_time_share_one_call() {
    let script = Script::default().scrape_takes(SECOND);
    let (scraped, _current) = scraped(&script).await;
    let pages = join_all((0..50).map(|_| scraped.ask("text"))).await;
    assert!(pages.into_iter().all(|answer| page(answer) == "text 1"));
    assert_eq!(script.scraped(), 1);
    let (text, protobuf) = tokio::join!(scraped.ask("text"), scraped.ask("protobuf"));
    assert_eq!((page(text), page(protobuf)), ("text 2".into(), "protobuf 3".into()));
}

#[tokio::test(start_paused = true)]
async fn a_scraper_that_leaves_spoils_nothing_for_the_next() {
    let script = Script::default().scrape_takes(SECOND);
    let (scraped, _current) = scraped(&script).await;
    let leaves = timeout(SECOND / 10, scraped.ask("text")).await;
    assert!(leaves.is_err());
    assert_eq!(page(scraped.ask("text").await), "text 1", "its call goes on and is shared");
    assert!(timeout(SECOND / 10, scraped.ask("text")).await.is_err());
    sleep(SECOND * 60).await;
    assert_eq!(page(scraped.ask("text").await), "text 3", "a page that nobody fetched is not shown a minute later");
}

#[tokio::test(start_paused = true)]
async fn another_instance_is_asked_itself() {
    let script = Script::default().scrape_takes(SECOND);
    let (scraped, current) = scraped(&script).await;
    let other = script.open(None).await.unwrap();
    let replaced = async {
        sleep(SECOND / 2).await;
        current.send_replace(Some(other));
        scraped.ask("text").await
    };
    let (before, after) = tokio::join!(scraped.ask("text"), replaced);
    assert_eq!((page(before), page(after)), ("text 1".into(), "text 2".into()));
    current.send_replace(None);
    assert_eq!(scraped.ask("text").await, Err(Refusal::NotOpen));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_found_dead_is_told() {
    let script = Script::default();
    let (scraped, _current) = scraped(&script).await;
    script.latest().kill();
    assert_eq!(scraped.ask("text").await, Err(Refusal::Failed(Fault::Gone.into())));
    timeout(SECOND, scraped.lost.notified()).await.expect("who replaces it is told");
}

#[tokio::test(start_paused = true)]
async fn pages_that_are_made_or_sent_at_once_are_bounded() {
    let script = Script::default();
    let (scraped, _current) = scraped(&script).await;
    let accepts: Vec<String> = (0..PAGES).map(|n| n.to_string()).collect();
    let mut pages = join_all(accepts.iter().map(|accept| scraped.ask(accept))).await;
    assert!(pages.iter().all(Result::is_ok));
    assert_eq!(scraped.ask("one more").await, Err(Refusal::TooMany), "slow readers hold all of them");
    pages.pop();
    assert_eq!(page(scraped.ask("one more").await), format!("one more {}", PAGES + 1));
    drop(pages);
    let _hangs = script.scrape_takes(FOR_EVER);
    for accept in &accepts {
        assert!(timeout(SECOND, scraped.ask(accept)).await.is_err());
    }
    assert_eq!(scraped.ask("one more").await, Err(Refusal::TooMany), "calls that hang hold all of them");
}
