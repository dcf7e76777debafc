//! `cargo xtask torture`: the tests that draw their course by chance, longer and with seeds of their own, for as long as
//! there is time.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use xtask::servers::SKIPS;

use crate::{cargo, prerequisites};

/// Arguments of `cargo xtask torture`.
#[derive(Args)]
pub(crate) struct Torture {
    /// How long; no part is begun after that, and at least one is run
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Repeats a course
    #[arg(long)]
    seed: Option<u64>,
    /// Only the parts with this in their name
    filter: Option<String>,
}

/// Tests that are run longer.
struct Part {
    name: &'static str,
    /// Of `cargo test`.
    arguments: &'static [&'static str],
    variables: fn(seed: u64) -> Vec<(&'static str, String)>,
}

/// What became of a part.
enum Outcome {
    Good,
    /// Some of it needs what is not there.
    Skipped(Vec<String>),
    /// With what repeats it.
    Found(String),
}

const PARTS: [Part; 5] = [
    Part {
        name: "simulation",
        arguments: &["--workspace", "--lib", "--", "delivery::tests::simulation", "--nocapture"],
        variables: |seed| {
            let from = seed % 1_000_000_000_000;
            vec![("SIMULATION_FROM", from.to_string()), ("SIMULATION_SCHEDULES", "20000".to_owned())]
        },
    },
    Part {
        name: "crash",
        arguments: &["--workspace", "--test", "all", "--", "crash::", "--nocapture"],
        variables: |seed| chance(seed, ("METRICAST_TORTURE_KILLS", 250)),
    },
    Part {
        name: "reload",
        arguments: &["--workspace", "--test", "all", "--", "reload::", "--nocapture"],
        variables: |seed| chance(seed, ("METRICAST_TORTURE_RELOADS", 250)),
    },
    Part {
        name: "faulty",
        arguments: &["--workspace", "--test", "all", "--", "faulty::", "--nocapture"],
        variables: |seed| chance(seed, ("METRICAST_TORTURE_BODIES", 300)),
    },
    Part {
        name: "store",
        arguments: &["--package", "metricast-store"],
        variables: |seed| {
            let properties = [("PROPTEST_RNG_SEED", seed.to_string()), ("PROPTEST_CASES", "1000".to_owned())];
            [chance(seed, ("METRICAST_TORTURE_TIMES", 3)), properties.into()].concat()
        },
    },
];

fn chance(seed: u64, often: (&'static str, u32)) -> Vec<(&'static str, String)> {
    vec![("METRICAST_TORTURE_SEED", seed.to_string()), (often.0, often.1.to_string())]
}

impl Torture {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let parts = self.parts()?;
        prerequisites::for_building()?;
        prerequisites::for_servers(false)?;
        cargo::run(&["build", "--workspace"])?;
        cargo::run(&["test", "--workspace", "--no-run"])?;
        let first = self.seed.unwrap_or_else(fresh_seed);
        println!("torture: seed {first}");
        let until = Instant::now() + Duration::from_secs(60 * self.minutes);
        let (mut run, mut skipped, mut findings) = (0_u64, 0, Vec::new());
        let mut whole: Vec<(&str, u32)> = parts.iter().map(|part| (part.name, 0)).collect();
        while run == 0 || Instant::now() < until {
            let place = (run % parts.len() as u64) as usize;
            let part = parts[place];
            // The golden ratio spreads seeds that follow each other.
            let seed = first.wrapping_add((run / parts.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            match part.run(seed)? {
                Outcome::Good => whole[place].1 += 1,
                Outcome::Skipped(tests) => skipped += tests.len(),
                Outcome::Found(again) => findings.push(again),
            }
            run += 1;
        }
        for again in &findings {
            println!("found something; it is repeated by\n  {again}");
        }
        let whole: Vec<String> = whole.iter().map(|(name, runs)| format!("{name} {runs}")).collect();
        println!(
            "torture: {run} runs, whole and good {}; {} findings, {skipped} tests skipped, seed {first}",
            whole.join(", "),
            findings.len()
        );
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn parts(&self) -> Result<Vec<&'static Part>> {
        let is_wanted = |part: &&Part| self.filter.as_deref().is_none_or(|filter| part.name.contains(filter));
        let parts: Vec<&Part> = PARTS.iter().filter(is_wanted).collect();
        let names = PARTS.map(|part| part.name).join(", ");
        ensure!(
            !parts.is_empty(),
            "no part has {:?} in its name; there are {names}",
            self.filter.as_deref().unwrap_or("")
        );
        Ok(parts)
    }
}

impl Part {
    fn run(&self, seed: u64) -> Result<Outcome> {
        let variables = (self.variables)(seed);
        let skips = tempfile::NamedTempFile::new().context("a file that skipped tests are noted in")?;
        let mut command = cargo::command(&[&["test"], self.arguments].concat());
        command.env(SKIPS, skips.path()).envs(variables.iter().map(|(name, value)| (name, value)));
        let started = Instant::now();
        let good = command.status().context("cannot start cargo")?.success();
        let skipped: Vec<String> = fs::read_to_string(skips.path())?.lines().map(|it| it.replace('\t', ": ")).collect();
        let (name, took) = (self.name, started.elapsed());
        let settings: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (told, outcome) = match good {
            false => {
                let again = format!("{} cargo test {}", settings.join(" "), self.arguments.join(" "));
                ("FAILED".to_owned(), Outcome::Found(again))
            }
            true if !skipped.is_empty() => (format!("skipped: {}", skipped.join("; ")), Outcome::Skipped(skipped)),
            true => ("good".to_owned(), Outcome::Good),
        };
        println!("torture: {name} with seed {seed}: {told} in {took:?}");
        Ok(outcome)
    }
}

/// Another one each time.
fn fresh_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(Instant::now())
}
