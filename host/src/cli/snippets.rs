//! `metricast check --print NAME`: one text that a person needs to set a backend up, and nothing else on standard
//! output, so that it can go straight into a file.

use std::collections::BTreeMap;

use super::exit::Exit;
use super::start;
use super::terminal::{self, Terminal};
use crate::config::{Checked, ConfigError};
use crate::pipeline::Workshop;
use crate::plugin::Snippet;

/// What is asked for cannot be printed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
enum SnippetError {
    #[error("no publisher is called {name:?}; there {}", are(.names))]
    NoPublisher { name: String, names: Vec<String> },
    #[error("{} text called {name:?}; there {}", nobody(.publisher.as_deref()), are(.names))]
    NoSnippet { name: String, publisher: Option<String>, names: Vec<String> },
    #[error("several publishers have a text called {name:?}, and not the same: --publisher says which; there {}", are(.publishers))]
    Several { name: String, publishers: Vec<String> },
}

fn nobody(publisher: Option<&str>) -> String {
    publisher.map_or_else(|| "no publisher has a".to_owned(), |publisher| format!("publisher {publisher} has no"))
}

fn are(names: &[String]) -> String {
    match names {
        [] => "is none".to_owned(),
        [one] => format!("is {one}"),
        all => format!("are {}", all.join(", ")),
    }
}

/// Prints the text of this name, of the one publisher that has it or of `publisher`.
pub(super) async fn print(
    config: &Checked,
    workshop: &Workshop,
    name: &str,
    publisher: Option<&str>,
    terminal: &Terminal,
) -> anyhow::Result<Exit> {
    let all = snippets(config, workshop, publisher).await?;
    let (owner, snippet) = choose(&all, name, publisher)?;
    terminal.note(format_args!("{owner}: {}", snippet.about));
    terminal::print(&snippet.text)?;
    Ok(Exit::Clean)
}

/// Every publisher that is asked for, with its texts: as it is written, or one part of it.
async fn snippets(
    config: &Checked,
    workshop: &Workshop,
    wanted: Option<&str>,
) -> anyhow::Result<Vec<(String, Vec<Snippet>)>> {
    let has = |config: &Checked, name: &str| config.publishers.iter().any(|publisher| publisher.name == name);
    let mut config = config;
    let split;
    if let Some(name) = wanted.filter(|name| !has(config, name)) {
        split = workshop.split(config).await;
        if !has(&split, name) {
            let names = config.publishers.iter().map(|publisher| publisher.name.clone()).collect();
            return Err(SnippetError::NoPublisher { name: name.to_owned(), names }.into());
        }
        config = &split;
    }
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (index, publisher) in config.publishers.iter().enumerate() {
        if wanted.is_some_and(|wanted| publisher.name != wanted) {
            continue;
        }
        match workshop.snippets(config, publisher).await {
            Ok(snippets) => all.push((publisher.name.clone(), snippets)),
            Err(problem) => problems.push(start::told(config, index, &problem)),
        }
    }
    if problems.is_empty() { Ok(all) } else { Err(ConfigError::Invalid(problems).into()) }
}

fn choose<'a>(
    all: &'a [(String, Vec<Snippet>)],
    name: &str,
    publisher: Option<&str>,
) -> Result<(&'a str, &'a Snippet), SnippetError> {
    let every = || all.iter().flat_map(|(owner, snippets)| snippets.iter().map(move |one| (owner.as_str(), one)));
    let found: Vec<_> = every().filter(|(_, snippet)| snippet.name == name).collect();
    match found.as_slice() {
        [] => {
            let mut owners: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            every().for_each(|(owner, snippet)| owners.entry(&snippet.name).or_default().push(owner));
            let names = owners.into_iter().map(|(name, owners)| format!("{name} (of {})", owners.join(", ")));
            let publisher = publisher.map(str::to_owned);
            Err(SnippetError::NoSnippet { name: name.to_owned(), publisher, names: names.collect() })
        }
        [first, rest @ ..] if rest.iter().all(|(_, snippet)| snippet.text == first.1.text) => Ok(*first),
        several => Err(SnippetError::Several {
            name: name.to_owned(),
            publishers: several.iter().map(|(owner, _)| (*owner).to_owned()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(publisher: &str, texts: &[(&str, &str)]) -> (String, Vec<Snippet>) {
        let snippet = |(name, text): &(&str, &str)| Snippet {
            name: (*name).to_owned(),
            about: String::new(),
            text: (*text).to_owned(),
        };
        (publisher.to_owned(), texts.iter().map(snippet).collect())
    }

    #[test]
    fn a_text_that_all_its_owners_agree_about_is_chosen() {
        let all = [of("a", &[("role", "x")]), of("b", &[("role", "x"), ("template", "y")])];
        assert_eq!(choose(&all, "role", None).unwrap().0, "a");
        assert_eq!(choose(&all, "template", None).unwrap().1.text, "y");
    }

    #[test]
    fn texts_that_differ_need_a_name() {
        let all = [of("a", &[("role", "x")]), of("b", &[("role", "y")])];
        let told = choose(&all, "role", None).unwrap_err().to_string();
        assert_eq!(
            told,
            "several publishers have a text called \"role\", and not the same: --publisher says which; there are a, b"
        );
    }

    #[test]
    fn what_there_is_not_lists_what_there_is() {
        let all = [of("a", &[("role", "x")]), of("b", &[("role", "y"), ("template", "z")])];
        let told = |name, publisher| choose(&all, name, publisher).unwrap_err().to_string();
        let there = "there are role (of a, b), template (of b)";
        assert_eq!(told("rol", None), format!("no publisher has a text called \"rol\"; {there}"));
        assert_eq!(told("rol", Some("a")), format!("publisher a has no text called \"rol\"; {there}"));
        let none = choose(&[of("a", &[])], "role", None).unwrap_err().to_string();
        assert_eq!(none, "no publisher has a text called \"role\"; there is none");
    }
}
