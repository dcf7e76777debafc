//! Ending processes gently.

use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// How often an ending process is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Sends SIGTERM to a child that has not been waited for.
///
/// # Errors
/// Where the system refuses.
pub fn terminate(child: &Child) -> Result<()> {
    signal(child.id(), Signal::TERM)
}

/// Sends `signal` to the process with this id.
///
/// # Errors
/// Where the system refuses, or there is no such process.
pub fn signal(id: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(id).ok().and_then(Pid::from_raw).context("not a process id")?;
    kill_process(pid, signal).with_context(|| format!("cannot signal process {id}"))
}

/// Waits for a child until `patience` is over; `None` says that it is still running.
///
/// # Errors
/// Where the system refuses.
pub fn wait(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>> {
    let end = Instant::now() + patience;
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= end {
            return Ok(status);
        }
        thread::sleep(PAUSE);
    }
}

/// Ends a child: SIGTERM, and SIGKILL where that did not do within `patience`.
///
/// # Errors
/// Where the system refuses.
pub fn end(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    terminate(child)?;
    if let Some(status) = wait(child, patience)? {
        return Ok(status);
    }
    child.kill()?;
    Ok(child.wait()?)
}
