//! Whole runs of a durable queue and its deliveries in virtual time, each drawn from a seed: senders, plugins that fail,
//! a keeper that fails and is slow, crashes and starts. At the end of each run nothing is lost, nothing counts twice,
//! nobody has waited for ever, and no bound was passed.
//!
//! One seed is run by `SIMULATION_SEED=17`, often, since the order in which a task looks at what is ready is not drawn
//! from it. `SIMULATION_SCHEDULES=1000000` or `SIMULATION_MINUTES=30` runs more of them, and `SIMULATION_FROM` says from
//! which seed on.

mod actor;
mod life;
mod plan;
mod world;

use std::env;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant as WallClock;

use super::*;
use plan::Plan;
use world::World;

/// Schedules of the test command.
const SCHEDULES: u64 = 10_000;
const THREADS: usize = 2;
/// A schedule that takes longer turns in circles.
const STUCK: Duration = Duration::from_secs(20);
/// How often one seed is run by itself.
const TIMES: u32 = 200;

/// Runs one schedule; says what went wrong.
fn run(seed: u64) -> Vec<String> {
    let plan = Plan::of(seed);
    let world = World::new(&plan);
    for life in 0..plan.lives {
        let is_last = life + 1 == plan.lives;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        fastrand::seed(seed ^ u64::from(life) << 32);
        runtime.block_on(life::live(&plan, &world, life, is_last));
        drop(runtime);
        if world.has_failed() {
            break;
        }
    }
    world.verdict(&plan)
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Which seeds are run, and till when.
struct Course {
    next: AtomicU64,
    end: u64,
    until: Option<WallClock>,
    over: AtomicBool,
    /// What each thread is at, and since when in seconds of the course.
    at: [(AtomicU64, AtomicU64); THREADS],
    began: WallClock,
}

impl Course {
    fn new() -> Self {
        let from = number("SIMULATION_FROM").unwrap_or(0);
        let minutes = number("SIMULATION_MINUTES").map(Duration::from_mins);
        let end = if minutes.is_some() { u64::MAX } else { from + number("SIMULATION_SCHEDULES").unwrap_or(SCHEDULES) };
        let began = WallClock::now();
        let until = minutes.map(|minutes| began + minutes);
        let at = Default::default();
        Self { next: AtomicU64::new(from), end, until, over: AtomicBool::new(false), at, began }
    }

    fn draw(&self, thread: usize) -> Option<u64> {
        let seed = self.next.fetch_add(1, Ordering::Relaxed);
        let over = self.over.load(Ordering::Relaxed) || self.until.is_some_and(|until| WallClock::now() > until);
        self.at[thread].0.store(seed, Ordering::Relaxed);
        self.at[thread].1.store(self.began.elapsed().as_secs(), Ordering::Relaxed);
        (seed < self.end && !over).then_some(seed)
    }

    /// Runs schedules till one fails.
    fn work(&self, thread: usize) -> Option<(u64, Vec<String>)> {
        let failed = std::iter::from_fn(|| self.draw(thread)).map(|seed| (seed, run(seed)));
        let failed = failed.into_iter().find(|(_, found)| !found.is_empty());
        if failed.is_some() {
            self.over.store(true, Ordering::Relaxed);
        }
        self.at[thread].1.store(u64::MAX, Ordering::Relaxed);
        failed
    }

    /// Virtual time does not end what turns in circles.
    fn watch(&self) {
        while self.at.iter().any(|(_, since)| since.load(Ordering::Relaxed) != u64::MAX) {
            std::thread::sleep(Duration::from_millis(20));
            for (seed, since) in &self.at {
                let since = Duration::from_secs(since.load(Ordering::Relaxed));
                if self.began.elapsed() > since.saturating_add(STUCK) {
                    let seed = seed.load(Ordering::Relaxed);
                    // What is printed plainly is lost with the process.
                    let _ = writeln!(std::io::stderr(), "SIMULATION_SEED={seed} does not come to an end");
                    std::process::exit(101);
                }
            }
        }
    }
}

#[test]
fn whatever_happens_nothing_is_lost_or_counted_twice_and_nobody_waits_for_ever() {
    if let Some(seed) = number("SIMULATION_SEED") {
        for _ in 0..TIMES {
            let found = run(seed);
            assert!(found.is_empty(), "{:#?}\n{found:#?}", Plan::of(seed));
        }
        return;
    }
    let course = Course::new();
    let failed: Vec<(u64, Vec<String>)> = std::thread::scope(|scope| {
        let course = &course;
        let workers: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || course.work(thread))).collect();
        course.watch();
        workers.into_iter().filter_map(|worker| worker.join().expect("a schedule panicked")).collect()
    });
    for (seed, found) in &failed {
        eprintln!("SIMULATION_SEED={seed}: {found:#?}\n{:#?}", Plan::of(*seed));
    }
    assert!(failed.is_empty(), "seeds {:?}", failed.iter().map(|(seed, _)| seed).collect::<Vec<_>>());
}
