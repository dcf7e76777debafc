//! Many short rounds in turn, so that whatever else the machine does falls on all ways alike. Ratios are taken within a
//! round, between neighbours in time, and only then is the middle one picked.

use std::time::Duration;

use anyhow::Result;
use metricast::plugin::PluginRuntime;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::lanes::{LANES, Lane};
use super::records::{RECORDS, SIZES};
use super::subject::{Aim, Subject};
use crate::spread::Spread;

/// Rounds before those that count: memories grow, series are made, processors find their pace.
const WARM_UP: u32 = 3;

/// One plugin at one size of batches; times in nanoseconds a record.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) plugin: &'static str,
    pub(crate) records_a_batch: usize,
    /// By the native twin.
    pub(crate) native: Spread,
    /// In the sandbox.
    pub(crate) sandbox: Spread,
    /// In the sandbox, called from another thread.
    pub(crate) delivery: Spread,
    /// Of sandbox to native, round by round.
    pub(crate) ratio: Spread,
    /// Of the design, at this size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) aim: Option<Verdict>,
}

/// An aim, and what was reached: both nanoseconds a record, or both times native.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) unit: &'static str,
    pub(crate) at_most: f64,
    pub(crate) reached: f64,
}

/// The times of one plugin at one size, a list a lane.
type Times = [Vec<Duration>; LANES.len()];

/// Measures all, and gives the figures plugin by plugin.
pub(crate) fn run(
    subjects: &mut [Subject],
    callers: &Runtime,
    plugins: &PluginRuntime,
    rounds: u32,
) -> Result<Vec<Figure>> {
    let mut times: Vec<[Times; SIZES.len()]> = subjects.iter().map(|_| Default::default()).collect();
    for round in 0..WARM_UP + rounds {
        for (subject, times) in subjects.iter_mut().zip(&mut times) {
            for (size, times) in times.iter_mut().enumerate() {
                for at in 0..LANES.len() {
                    let lane = (at + round as usize) % LANES.len();
                    let time = LANES[lane].round(subject, size, callers, plugins)?;
                    if round >= WARM_UP {
                        times[lane].push(time);
                    }
                }
            }
        }
    }
    Ok(subjects.iter().zip(&times).flat_map(|(subject, times)| figures(subject, times)).collect())
}

fn figures(subject: &Subject, times: &[Times; SIZES.len()]) -> Vec<Figure> {
    SIZES.iter().zip(times).map(|(&size, times)| figure(subject, size, times)).collect()
}

fn figure(subject: &Subject, records_a_batch: usize, times: &Times) -> Figure {
    let of = |lane: Lane| &times[lane as usize];
    let spread = |lane| Spread::of(of(lane).iter().map(|time| time.as_nanos() as f64 / RECORDS as f64));
    let pairs = of(Lane::Sandbox).iter().zip(of(Lane::Native));
    let ratio = Spread::of(pairs.map(|(sandbox, native)| sandbox.as_secs_f64() / native.as_secs_f64()));
    let sandbox = spread(Lane::Sandbox);
    let aim = (records_a_batch == 1_000).then_some(match subject.aim {
        Aim::Nanoseconds(at_most) => Verdict { unit: "ns a record", at_most, reached: sandbox.median },
        Aim::TimesNative(at_most) => Verdict { unit: "times native", at_most, reached: ratio.median },
    });
    let (native, delivery) = (spread(Lane::Native), spread(Lane::Delivery));
    Figure { plugin: subject.name, records_a_batch, native, sandbox, delivery, ratio, aim }
}
