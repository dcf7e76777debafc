//! `metricast check --online`: each plugin asks its backend how it stands, and what is not as it should be comes with
//! what to do about it.

use std::fmt::Write as _;

use futures::future::join_all;

use super::schema::wrapped;
use super::table::{Cell, Table};
use super::terminal::{Paint, Terminal};
use crate::config::Checked;
use crate::pipeline::Prepared;
use crate::plugin::{CallError, Fault, Finding, Verdict};

/// Characters of a line of advice.
const WIDTH: usize = 92;

/// What every publisher's backend says, all asked at the same time.
pub(super) async fn ask(prepared: &[Prepared]) -> Vec<Vec<Finding>> {
    let asking = prepared.iter().map(async |prepared| prepared.probe().await.unwrap_or_else(|error| failed(&error)));
    join_all(asking).await
}

/// A plugin that could not even ask.
fn failed(error: &CallError) -> Vec<Finding> {
    let fix = match error {
        CallError::Fault(Fault::Timeout { .. }) => {
            "see whether its backend answers at all; `call_timeout` beside `plugin` lets it wait longer"
        }
        CallError::Fault(Fault::Limit(_)) => "`max_memory` beside `plugin` lets it use more",
        CallError::Publish(_) => "correct what it names",
        CallError::Fault(_) => "this is the plugin's own fault: tell its author",
    };
    vec![Finding {
        of: String::new(),
        question: "the plugin".to_owned(),
        verdict: Verdict::Bad,
        answer: error.to_string(),
        fix: fix.to_owned(),
    }]
}

/// One publisher's answers.
pub(super) fn told(findings: &[Finding], paint: Paint) -> String {
    if findings.is_empty() {
        return "  asked now     nothing: this plugin asks nothing of its backend\n".to_owned();
    }
    let has_origins = findings.iter().any(|finding| !finding.of.is_empty());
    let titles = ["question", "of", "verdict", "answer"].into_iter().filter(|title| has_origins || *title != "of");
    let mut table = Table::new(&titles.collect::<Vec<_>>());
    for finding in findings {
        let of = has_origins.then(|| paint.plain(finding.of.as_str()).into());
        let words: [Cell; 2] = [verdict(finding.verdict, paint), paint.plain(finding.answer.as_str()).into()];
        let question = paint.plain(finding.question.as_str()).into();
        table.row_with_notes([question].into_iter().chain(of).chain(words), advice(finding));
    }
    let table = table.to_string();
    table.lines().fold("  asked now\n".to_owned(), |mut text, line| {
        let _ = writeln!(text, "    {line}");
        text
    })
}

fn verdict(verdict: Verdict, paint: Paint) -> Cell {
    match verdict {
        Verdict::Good => paint.good("good").into(),
        Verdict::Warning => paint.doubtful("warning").into(),
        Verdict::Bad => paint.bad("bad").into(),
        Verdict::Unknown => paint.doubtful("unknown").into(),
    }
}

fn advice(finding: &Finding) -> Vec<String> {
    if finding.verdict == Verdict::Good || finding.fix.is_empty() {
        return Vec::new();
    }
    let text = format!("to mend it: {}", finding.fix);
    wrapped(&text, WIDTH).into_iter().enumerate().map(|(line, text)| format!("{}{text}", indent(line))).collect()
}

fn indent(line: usize) -> &'static str {
    if line == 0 { "  " } else { "    " }
}

/// Says of which publishers no record would arrive; whether there is one.
pub(super) fn complain(config: &Checked, answers: &[Vec<Finding>], terminal: &Terminal) -> bool {
    let is_bad = |findings: &&[Finding]| findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    let answers = config.publishers.iter().zip(answers.iter().map(Vec::as_slice));
    let mut bad = answers.filter(|(_, findings)| is_bad(findings)).map(|(publisher, _)| publisher).peekable();
    let any = bad.peek().is_some();
    for publisher in bad {
        terminal.error(format_args!("publisher {}: its records would not arrive", publisher.name));
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(of: &str, verdict: Verdict, answer: &str, fix: &str) -> Finding {
        let [of, answer, fix] = [of, answer, fix].map(str::to_owned);
        Finding { of, question: "reachable".to_owned(), verdict, answer, fix }
    }

    #[test]
    fn what_is_not_good_is_followed_by_its_fix() {
        let findings = [
            finding("http://a:9200", Verdict::Good, "8.19.0", "not told"),
            finding("http://b:9200", Verdict::Bad, "refused", &"start it ".repeat(14)),
        ];
        let wanted = "  asked now
    question   of             verdict  answer
    reachable  http://a:9200  good     8.19.0
    reachable  http://b:9200  bad      refused
      to mend it: start it start it start it start it start it start it start it start it start it
        start it start it start it start it start it
";
        assert_eq!(told(&findings, Paint(false)), wanted);
    }

    #[test]
    fn there_is_no_column_of_origins_where_there_are_none() {
        let told = told(&[finding("", Verdict::Unknown, "7 s", "ask it")], Paint(false));
        assert_eq!(
            told,
            "  asked now\n    question   verdict  answer\n    reachable  unknown  7 s\n      to mend it: ask it\n"
        );
    }

    #[test]
    fn a_plugin_that_breaks_is_bad_and_says_whose_fault_it_is() {
        let findings = failed(&CallError::Fault(Fault::Gone));
        assert_eq!((findings[0].verdict, findings.len()), (Verdict::Bad, 1));
        assert!(told(&findings, Paint(false)).contains("tell its author"));
    }
}
