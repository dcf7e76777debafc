//! What is asked of both legs without opening them: their judgement of a config, their findings, their snippets.

use std::collections::BTreeSet;

use crate::leg::Leg;
use crate::part::{Part, split};
use crate::types::{Finding, PublishError, Snippet};

/// A leg, its part and its config.
type Asked<'a> = (&'a dyn Leg, Part, String);

fn asked<'a>(legs: [&'a dyn Leg; 2], config: &str) -> Result<[Asked<'a>; 2], PublishError> {
    let [first, second] = legs;
    let parts = Part::both(&first.describe(), &second.describe());
    let [first_config, second_config] = split(config, &parts)?;
    let [first_part, second_part] = parts;
    Ok([(first, first_part, first_config), (second, second_part, second_config)])
}

/// Lets each leg judge its part of a config.
///
/// # Errors
/// `misconfigured`, with the key's path in the whole.
pub fn check(legs: [&dyn Leg; 2], config: &str) -> Result<(), PublishError> {
    let asked = asked(legs, config)?;
    asked.iter().try_for_each(|(leg, part, config)| leg.check(config).map_err(|error| part.error(error)))
}

/// Lets each leg ask its backend; each finding says whose it is.
///
/// # Errors
/// As [`check`].
pub fn probe(legs: [&dyn Leg; 2], config: &str) -> Result<Vec<Finding>, PublishError> {
    let mut findings = Vec::new();
    for (leg, part, config) in asked(legs, config)? {
        for finding in leg.probe(&config).map_err(|error| part.error(error))? {
            let of = match finding.of.as_str() {
                "" => part.leg(""),
                of if part.is_composite() => part.leg(of),
                of => format!("{} {of}", part.label()),
            };
            findings.push(Finding { of, ..finding });
        }
    }
    Ok(findings)
}

/// The snippets of both legs, under names that stand once; each says whose it is.
///
/// # Errors
/// As [`check`].
pub fn snippets(legs: [&dyn Leg; 2], config: &str) -> Result<Vec<Snippet>, PublishError> {
    let mut snippets: Vec<Snippet> = Vec::new();
    let mut taken = BTreeSet::new();
    for (leg, part, config) in asked(legs, config)? {
        for snippet in leg.snippets(&config).map_err(|error| part.error(error))? {
            let name = free_name(&taken, &snippet.name);
            taken.insert(name.clone());
            snippets.push(Snippet { name, about: part.told(&snippet.about), ..snippet });
        }
    }
    Ok(snippets)
}

/// The name, or where another snippet has it, the name with the next number.
fn free_name(taken: &BTreeSet<String>, name: &str) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while taken.contains(&free) {
        number += 1;
        free = format!("{name}-{number}");
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripted::Script;
    use crate::types::Verdict;

    fn script(name: &str) -> Script {
        let script = Script::new(name);
        let finding = |of: &str| Finding {
            of: of.into(),
            question: "reachable".into(),
            verdict: Verdict::Good,
            answer: "yes".into(),
            fix: String::new(),
        };
        script.answer_probe(vec![finding(""), finding("http://a")]);
        script.answer_snippets(vec![Snippet { name: "role".into(), about: "a role".into(), text: "{}".into() }]);
        script
    }

    const CONFIG: &str = r#"{"publishers": [{}, {}]}"#;

    #[test]
    fn findings_and_snippets_say_whose_they_are_and_no_name_stands_twice() {
        let (a, b) = (script("a"), script("b"));
        let findings = probe([&a, &b], CONFIG).unwrap();
        let of: Vec<&str> = findings.iter().map(|finding| finding.of.as_str()).collect();
        let expected =
            ["publishers[0] (a)", "publishers[0] (a) http://a", "publishers[1] (b)", "publishers[1] (b) http://a"];
        assert_eq!(of, expected);
        let snippets = snippets([&a, &b], CONFIG).unwrap();
        let told: Vec<_> = snippets.iter().map(|snippet| (snippet.name.as_str(), snippet.about.as_str())).collect();
        assert_eq!(told, [("role", "publishers[0] (a): a role"), ("role-2", "publishers[1] (b): a role")]);
    }

    #[test]
    fn each_leg_judges_its_own_entry() {
        let (a, b) = (script("a"), script("b"));
        b.misconfigured("hosts[0]: needs a scheme");
        let error = check([&a, &b], r#"{"publishers": [{"of": "a"}, {"of": "b"}]}"#).unwrap_err();
        assert_eq!(error, PublishError::Misconfigured("publishers[1].hosts[0]: needs a scheme".into()));
        assert_eq!((a.checked(), b.checked()), (vec![r#"{"of":"a"}"#.into()], vec![r#"{"of":"b"}"#.into()]));
    }
}
