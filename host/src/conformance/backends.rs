//! What a plugin tells a person about its backend.

use super::report::{Judged, broken};
use super::subject::Subject;
use crate::plugin::Verdict;

pub(super) async fn advice(subject: &Subject) -> Judged {
    for finding in subject.plugin.probe(subject.options.clone()).await? {
        let question = &finding.question;
        if question.trim().is_empty() || finding.answer.trim().is_empty() {
            return broken(format!("a finding of probe has no question or no answer: {question:?}"));
        }
        if finding.verdict != Verdict::Good && finding.fix.trim().is_empty() {
            return broken(format!("probe does not say how to put this right: {question}: {}", finding.answer));
        }
    }
    for snippet in subject.plugin.snippets(subject.settings(), &subject.limits).await? {
        if snippet.about.trim().is_empty() || snippet.text.trim().is_empty() {
            return broken(format!("the snippet {} is empty, or does not say where it goes", snippet.name));
        }
    }
    Ok(())
}
