//! `cargo xtask torture`: the tests that draw their course by chance, longer and with seeds of their own, for as long as
//! there is time.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::{cargo, prerequisites};

/// Arguments of `cargo xtask torture`.
#[derive(Args)]
pub(crate) struct Torture {
    /// How long; a round that has begun is ended
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Repeats a course
    #[arg(long)]
    seed: Option<u64>,
    /// Only tests with this in their name
    filter: Option<String>,
}

/// Tests that are run longer.
struct Part {
    name: &'static str,
    arguments: &'static [&'static str],
    variables: fn(seed: u64) -> Vec<(&'static str, String)>,
}

const PARTS: [Part; 4] = [
    Part {
        name: "delivery::tests::simulation",
        arguments: &["--workspace", "--lib"],
        variables: |seed| {
            let from = seed % 1_000_000_000_000;
            vec![("SIMULATION_FROM", from.to_string()), ("SIMULATION_SCHEDULES", "10000".to_owned())]
        },
    },
    Part {
        name: "crash::",
        arguments: &["--workspace", "--test", "all"],
        variables: |seed| {
            vec![("METRICAST_TORTURE_SEED", seed.to_string()), ("METRICAST_TORTURE_KILLS", "200".to_owned())]
        },
    },
    Part {
        name: "reload::",
        arguments: &["--workspace", "--test", "all"],
        variables: |seed| {
            vec![("METRICAST_TORTURE_SEED", seed.to_string()), ("METRICAST_TORTURE_RELOADS", "200".to_owned())]
        },
    },
    Part {
        name: "",
        arguments: &["--package", "metricast-store"],
        variables: |seed| vec![("PROPTEST_RNG_SEED", seed.to_string()), ("PROPTEST_CASES", "1000".to_owned())],
    },
];

impl Torture {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        prerequisites::for_building()?;
        cargo::run(&["build", "--workspace"])?;
        cargo::run(&["test", "--workspace", "--no-run"])?;
        let first = self.seed.unwrap_or_else(fresh_seed);
        println!("torture: seed {first}");
        let until = Instant::now() + Duration::from_secs(60 * self.minutes);
        let (mut rounds, mut findings) = (0_u64, Vec::new());
        while rounds == 0 || Instant::now() < until {
            // The golden ratio spreads seeds that follow each other.
            let seed = first.wrapping_add(rounds.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            for part in PARTS.iter().filter(|part| self.filter.as_deref().is_none_or(|it| part.name.contains(it))) {
                if let Some(again) = part.run(seed)? {
                    findings.push(again);
                }
            }
            rounds += 1;
        }
        for again in &findings {
            println!("found something; it is repeated by\n  {again}");
        }
        println!("torture: {rounds} rounds, {} findings, seed {first}", findings.len());
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Part {
    /// What repeats it, where it fails.
    fn run(&self, seed: u64) -> Result<Option<String>> {
        let variables = (self.variables)(seed);
        let mut arguments = vec!["test"];
        arguments.extend(self.arguments);
        if !self.name.is_empty() {
            arguments.extend(["--", self.name, "--nocapture"]);
        }
        let started = Instant::now();
        let mut command = cargo::command(&arguments);
        let status = command.envs(variables.iter().map(|(name, value)| (name, value))).status();
        let good = status.context("cannot start cargo")?.success();
        let name = if self.name.is_empty() { "the store" } else { self.name };
        println!(
            "torture: {name} with seed {seed}: {} in {:?}",
            if good { "good" } else { "FAILED" },
            started.elapsed()
        );
        let settings: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Ok((!good).then(|| format!("{} cargo {}", settings.join(" "), arguments.join(" "))))
    }
}

/// Another one each time.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(Instant::now())
}
