//! Where scrapes are answered: at once, or when a publisher whose backend is away at first turns out to have something to
//! show.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::StartProblem;
use crate::delivery::Sandbox;
use crate::plugin::Profile;
use crate::scrape::Scraped;

pub(super) async fn bind(publisher: &str, address: SocketAddr) -> Result<TcpListener, StartProblem> {
    let bound = TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|source| StartProblem::Listen { address, source })?;
    tracing::info!(publisher, "metrics at http://{address}/metrics");
    Ok(listener)
}

/// Serves from when the publisher is open until `stopped`; not at all where it never is or has nothing to show.
pub(super) async fn when_open<S: Sandbox>(
    publisher: String,
    profile: impl Future<Output = Option<Profile>>,
    address: SocketAddr,
    scraped: Scraped<S>,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    if !profile.await.is_some_and(|profile| profile.scrapes) {
        return Ok(());
    }
    match bind(&publisher, address).await {
        Ok(listener) => scraped.serve(listener, stopped).await,
        Err(problem) => {
            tracing::error!(publisher, "{problem}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::{oneshot, watch};

    use super::*;
    use crate::delivery::Opener as _;
    use crate::delivery::scripted::Script;

    async fn free() -> SocketAddr {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn who_opens_late_is_listened_for_from_then_on() {
        let instance = Script::default().open(None).await.unwrap();
        let open = Profile { scrapes: true, ..instance.profile() };
        let (_current, current) = watch::channel(Some(instance));
        let (tell, opened) = oneshot::channel();
        let address = free().await;
        let profile = async { opened.await.ok() };
        let scraped = Scraped::new(current, Arc::default());
        let serving = tokio::spawn(when_open("p".into(), profile, address, scraped, std::future::pending()));
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens before");
        tell.send(open).unwrap();
        let mut stream = loop {
            match TcpStream::connect(address).await {
                Ok(stream) => break stream,
                Err(_) => assert!(!serving.is_finished()),
            }
            tokio::task::yield_now().await;
        };
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nhost: p\r\nconnection: close\r\naccept: text\r\n\r\n")
            .await
            .unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        assert!(page.starts_with("HTTP/1.1 200") && page.ends_with("text 1"), "{page}");
        serving.abort();
    }

    #[tokio::test]
    async fn who_has_nothing_to_show_is_not_listened_for() {
        let instance = Script::default().open(None).await.unwrap();
        let profile = instance.profile();
        let (_current, current) = watch::channel(Some(instance));
        for profile in [Some(profile), None] {
            let scraped = Scraped::new(current.clone(), Arc::default());
            let ended = when_open("p".into(), async { profile }, free().await, scraped, std::future::pending());
            ended.await.unwrap();
        }
    }
}
