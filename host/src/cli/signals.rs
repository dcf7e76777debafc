//! SIGINT and SIGTERM: the first asks for an orderly end, the second ends the process.

use std::io;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::exit::Exit;

/// What comes within this time after a signal is no other one.
const SAME: Duration = Duration::from_millis(250);

/// Cancelled by the first signal; `tell` says so.
///
/// # Errors
/// If the system takes no signal handlers.
pub(super) fn first(tell: impl FnOnce() + Send + 'static) -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        tell();
        cancelled.cancel();
        // `timeout` and terminals send one to the process and one to its group.
        while tokio::time::timeout(SAME, signals.next()).await.is_ok() {}
        signals.next().await;
        tracing::error!("a second signal: what is not delivered is given up");
        std::process::exit(Exit::Undelivered.code().into());
    });
    Ok(token)
}

/// SIGHUP: a config is to be read again.
pub(super) struct Hangups(#[cfg(unix)] tokio::signal::unix::Signal);

impl Hangups {
    /// # Errors
    /// If the system takes no signal handlers.
    #[cfg(unix)]
    pub(super) fn new() -> io::Result<Self> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Self)
    }

    #[cfg(unix)]
    pub(super) async fn next(&mut self) {
        self.0.recv().await;
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self())
    }

    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) {
        std::future::pending().await
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
