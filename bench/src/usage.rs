//! What a program took: time, processor time, memory. Linux tells by `/proc`.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::Serialize;

/// How often the memory of a running program is looked at. Its peak never falls, so that only what comes in the last
/// moment can be missed.
const LOOK: Duration = Duration::from_millis(5);
/// Of the times in `/proc`, on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Of a program's whole life, or of a part of it.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) seconds: f64,
    /// Of all its threads, in user mode and in the kernel.
    pub(crate) cpu_seconds: f64,
    /// The most memory that was resident at a time.
    pub(crate) peak_bytes: u64,
}

/// Runs a program to its end. Nothing else that this process started may end meanwhile.
pub(crate) fn of(mut command: Command) -> Result<Usage> {
    let before = children_seconds()?;
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().with_context(|| format!("cannot start {command:?}"))?;
    let mut peak_bytes = 0;
    let status = loop {
        peak_bytes = peak_bytes.max(peak(&child).unwrap_or(0));
        match child.try_wait()? {
            Some(status) => break status,
            None => thread::sleep(LOOK),
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Usage { seconds, cpu_seconds: children_seconds()? - before, peak_bytes })
}

fn children_seconds() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(microseconds as f64 / 1e6)
}

/// The most memory of a running program so far, in bytes.
pub(crate) fn peak(child: &Child) -> Result<u64> {
    memory(child, "VmHWM:")
}

/// The memory of a running program now, in bytes.
pub(crate) fn resident(child: &Child) -> Result<u64> {
    memory(child, "VmRSS:")
}

fn memory(child: &Child, key: &str) -> Result<u64> {
    memory_of(&child.id().to_string(), key)
}

/// One of the memories that `/proc` tells of a process, in bytes.
pub(crate) fn memory_of(process: &str, key: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)).context("no memory is told")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().context("memory that is no number")?;
    Ok(kibibytes << 10)
}

/// The processor time of a running program so far, to a hundredth of a second.
pub(crate) fn cpu_seconds(child: &Child) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // The name, in parentheses, may have blanks in it. Behind it come the state and ten numbers before the times.
    let (_, rest) = stat.rsplit_once(')').context("no times are told")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_works_is_seen_to_have_worked() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        let usage = of(command).unwrap();
        assert!(usage.cpu_seconds > 0.01 && usage.cpu_seconds <= 2.0 * usage.seconds + 0.1, "{usage:?}");
        assert!(usage.peak_bytes > 100 << 10, "{usage:?}");
    }
}
