//! What came of the rules.

use std::collections::BTreeMap;

use super::rule::Rule;
use crate::plugin::{CallError, Clause, Fault, LoadProblem, PublishError};

/// How a plugin stands to one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It keeps it.
    Kept,
    /// It breaks it, in this way.
    Broken(String),
    /// What the rule is of, it does not have.
    DoesNotApply(&'static str),
    /// It could not be seen, for this reason.
    NotJudged(String),
}

/// A rule and the plugin's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Which rule.
    pub rule: Rule,
    /// How the plugin stands to it.
    pub verdict: Verdict,
}

/// Of all rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    verdicts: BTreeMap<Rule, Verdict>,
}

/// What judging one rule found: nothing amiss, or why not.
pub(super) type Judged = Result<(), Amiss>;

/// Why a rule is not simply kept.
#[derive(Debug)]
pub(super) enum Amiss {
    /// The rule that was judged is broken.
    Broken(String),
    /// Another one is.
    Other(Rule, String),
    DoesNotApply(&'static str),
    NotJudged(String),
}

/// The rule at hand is broken.
pub(super) fn broken<T>(how: impl Into<String>) -> Result<T, Amiss> {
    Err(Amiss::Broken(how.into()))
}

impl Report {
    /// In the order of [`Rule::ALL`].
    pub fn judgements(&self) -> impl Iterator<Item = Judgement> + '_ {
        self.verdicts.iter().map(|(rule, verdict)| Judgement { rule: *rule, verdict: verdict.clone() })
    }

    /// The rules that are broken.
    pub fn broken(&self) -> impl Iterator<Item = Rule> + '_ {
        self.with(|verdict| matches!(verdict, Verdict::Broken(_)))
    }

    /// The rules that could not be judged.
    pub fn not_judged(&self) -> impl Iterator<Item = Rule> + '_ {
        self.with(|verdict| matches!(verdict, Verdict::NotJudged(_)))
    }

    fn with(&self, is: impl Fn(&Verdict) -> bool) -> impl Iterator<Item = Rule> {
        self.verdicts.iter().filter(move |(_, verdict)| is(verdict)).map(|(rule, _)| *rule)
    }

    /// Of a plugin that cannot even be loaded.
    pub(super) fn unfit(&mut self, problem: &LoadProblem) {
        let (rule, how) = match problem {
            LoadProblem::ForbiddenImports(_) | LoadProblem::Link(_) => (Rule::Imports, problem.to_string()),
            LoadProblem::Describe(error) => match Amiss::from(error.clone()) {
                Amiss::Other(rule, how) => (rule, how),
                _ => (Rule::Description, problem.to_string()),
            },
            _ => (Rule::Component, problem.to_string()),
        };
        for other in Rule::ALL {
            let verdict = if other < rule && rule <= Rule::Description {
                Verdict::Kept
            } else {
                Verdict::NotJudged("it cannot be loaded".to_owned())
            };
            self.put(other, verdict);
        }
        self.put(rule, Verdict::Broken(how));
    }

    pub(super) fn record(&mut self, rule: Rule, judged: Judged) {
        match judged {
            Ok(()) => self.put(rule, Verdict::Kept),
            Err(Amiss::Broken(how)) => self.put(rule, Verdict::Broken(how)),
            Err(Amiss::Other(other, how)) if other == rule => self.put(rule, Verdict::Broken(how)),
            Err(Amiss::Other(other, how)) => {
                self.put(rule, Verdict::NotJudged(format!("it breaks {other} on the way")));
                self.put(other, Verdict::Broken(format!("judging {rule}: {how}")));
            }
            Err(Amiss::DoesNotApply(why)) => self.put(rule, Verdict::DoesNotApply(why)),
            Err(Amiss::NotJudged(why)) => self.put(rule, Verdict::NotJudged(why)),
        }
    }

    /// A rule that was found broken stays so.
    fn put(&mut self, rule: Rule, verdict: Verdict) {
        let told = self.verdicts.entry(rule).or_insert_with(|| verdict.clone());
        if !matches!(told, Verdict::Broken(_)) {
            *told = verdict;
        }
    }
}

/// Of a call that should have had an answer.
impl From<CallError> for Amiss {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Publish(error) => error.into(),
            CallError::Fault(fault) => fault.into(),
        }
    }
}

impl From<Fault> for Amiss {
    fn from(fault: Fault) -> Self {
        let how = fault.to_string();
        match fault {
            Fault::Trap { .. } | Fault::Gone => Self::Other(Rule::NoTrap, how),
            Fault::Timeout { .. } | Fault::Limit(_) => Self::Other(Rule::Bounds, how),
            Fault::Untrusted { clause, .. } => Self::Other(of_clause(clause), how),
        }
    }
}

impl From<PublishError> for Amiss {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Internal(_) => Self::Broken(error.to_string()),
            _ => Self::NotJudged(error.to_string()),
        }
    }
}

fn of_clause(clause: Clause) -> Rule {
    match clause {
        Clause::Description => Rule::Description,
        Clause::Profile => Rule::Profile,
        Clause::ReceiptSum => Rule::ReceiptSum,
        Clause::ReceiptIndex => Rule::ReceiptIndex,
        Clause::ReceiptWhole => Rule::ReceiptWhole,
        Clause::Snapshot => Rule::Snapshot,
        Clause::Exposition => Rule::Scrape,
        Clause::Advice => Rule::Advice,
        Clause::Size => Rule::Bounds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(report: &Report, rule: Rule) -> Verdict {
        report.judgements().find(|judgement| judgement.rule == rule).expect("it was judged").verdict
    }

    #[test]
    fn a_fault_is_told_of_the_rule_that_it_breaks() {
        let mut report = Report::default();
        report.record(Rule::Flush, Err(Fault::Gone.into()));
        report.record(Rule::NoTrap, Ok(()));
        assert_eq!(report.broken().collect::<Vec<_>>(), [Rule::NoTrap]);
        assert_eq!(verdict(&report, Rule::Flush), Verdict::NotJudged("it breaks no-trap on the way".to_owned()));
        let Verdict::Broken(how) = verdict(&report, Rule::NoTrap) else { panic!("a broken rule stays so") };
        assert!(how.starts_with("judging flush: "), "{how}");
    }

    #[test]
    fn a_backend_that_is_away_breaks_nothing() {
        let mut report = Report::default();
        let away = PublishError::Unavailable { reason: "refused".to_owned(), retry_after: None };
        report.record(Rule::LargeBatch, Err(away.into()));
        report.record(Rule::Close, Err(PublishError::Internal("bug".to_owned()).into()));
        assert_eq!(report.broken().collect::<Vec<_>>(), [Rule::Close]);
        assert_eq!(report.not_judged().collect::<Vec<_>>(), [Rule::LargeBatch]);
    }

    #[test]
    fn what_cannot_be_loaded_is_judged_up_to_there() {
        let mut report = Report::default();
        report.unfit(&LoadProblem::ForbiddenImports(vec!["a:b/c".to_owned()]));
        assert_eq!(verdict(&report, Rule::Component), Verdict::Kept);
        assert_eq!(report.broken().collect::<Vec<_>>(), [Rule::Imports]);
        assert_eq!(report.not_judged().count(), Rule::ALL.len() - 2);
    }
}
