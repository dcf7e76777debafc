//! Which of the words that there are was most likely meant by one that there is not.

/// How like each other two words are, from 0 to 1, for one to be taken for a slip of the other.
const NEAR_ENOUGH: f64 = 0.7;

/// The nearest of these, in lower case, if it is near enough.
pub(crate) fn nearest<'w>(word: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let word = word.to_lowercase();
    known
        .map(|candidate| (strsim::jaro_winkler(&word, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= NEAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_another_word_none() {
        let nearest = |word| nearest(word, ["listen", "max_body", "limit"].into_iter());
        for (word, meant) in [
            ("lisen", Some("listen")),
            ("LISTEN", Some("listen")),
            ("maxbody", Some("max_body")),
            ("limits", Some("limit")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word), meant, "{word}");
        }
    }
}
