//! A plugin held against the contract: rules with names, each judged by itself on instances of its own, so that a
//! plugin that breaks one is still judged by the others.
//!
//! The contract is `wit/`; what a host must never believe is [`crate::untrusted`]'s, and every answer here has passed
//! it. Rules judge what a plugin can be held to without knowing its backend: records that a backend does not take, or
//! a backend that is away, break no rule, and what could not be judged for that reason is said so.

mod backends;
mod description;
mod ending;
mod publishing;
mod report;
mod rule;
mod samples;
mod scraping;
mod settings;
mod state;
mod subject;

pub use report::{Judgement, Report, Verdict};
pub use rule::Rule;

use crate::config::{Checked, Publisher};
use crate::pipeline::{self, StartProblem, Workshop};
use crate::plugin::{LoadError, LoadProblem};
use subject::Subject;

/// Judges the plugin of a publisher with the publisher's settings. Where these name a backend that is there, it gets
/// some ten thousand records whose names start with `metricast_conformance`.
///
/// # Errors
/// Where a secret or a grant of the settings cannot be had; what is the plugin's fault is in the report.
pub async fn judge(workshop: &Workshop, config: &Checked, publisher: &Publisher) -> Result<Report, StartProblem> {
    let mut report = Report::default();
    let plugin = match workshop.load(&publisher.plugin, &publisher.limits).await {
        Ok(plugin) => plugin,
        Err(LoadError { problem: problem @ (LoadProblem::Read(_) | LoadProblem::Folder), plugin }) => {
            return Err(LoadError { plugin, problem }.into());
        }
        Err(error) => {
            report.unfit(&error.problem);
            return Ok(report);
        }
    };
    let options = pipeline::options(&plugin, config, publisher)?.options;
    let subject = Subject::new(plugin, options, publisher.limits.clone());
    for rule in Rule::ALL {
        report.record(rule, judged(rule, &subject).await);
    }
    Ok(report)
}

async fn judged(rule: Rule, subject: &Subject) -> report::Judged {
    match rule {
        // Loading has judged the first two; faults of any call are told of the other two.
        Rule::Component | Rule::Imports | Rule::NoTrap | Rule::Bounds => Ok(()),
        Rule::Description => description::description(subject).await,
        Rule::Dictionary => description::dictionary(subject).await,
        Rule::Config => settings::accepted(subject).await,
        Rule::UnknownKey => settings::unknown_key(subject).await,
        Rule::NotAConfig => settings::not_a_config(subject).await,
        Rule::Advice => backends::advice(subject).await,
        Rule::Profile => publishing::profile(subject).await,
        Rule::ReceiptSum | Rule::ReceiptIndex | Rule::ReceiptWhole => publishing::receipt(subject, rule).await,
        Rule::SingleRecord => publishing::single_record(subject).await,
        Rule::EmptyBatch => publishing::empty_batch(subject).await,
        Rule::LargeBatch => publishing::large_batch(subject).await,
        Rule::HostileText => publishing::hostile_text(subject).await,
        Rule::ExtremeNumbers => publishing::extreme_numbers(subject).await,
        Rule::Snapshot => state::snapshot(subject).await,
        Rule::Repeat => state::repeat(subject).await,
        Rule::Restore => state::restore(subject).await,
        Rule::ForeignState => state::foreign_state(subject).await,
        Rule::Scrape => scraping::scrape(subject).await,
        Rule::Flush => ending::flush(subject).await,
        Rule::Close => ending::close(subject).await,
    }
}
