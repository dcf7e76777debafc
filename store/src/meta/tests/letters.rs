//! Dead letters: once each, bounded, found again.

use super::super::{Change, Filter, Group, Kind, Letter, LetterCount, Limits, Meta, Origin};
use super::{file, open, publisher, rejected, small};

fn line(number: u64) -> Letter {
    Letter {
        kind: Kind::Refused,
        origin: Origin::Line { source: "in.ndjson".to_owned(), line: number, raw: Some(b"{\xff".to_vec()) },
        ..rejected("p", 0, "not JSON")
    }
}

fn offsets(meta: &Meta, filter: &Filter) -> Vec<u64> {
    let offset = |letter: Letter| match letter.origin {
        Origin::Record { offset, .. } => offset,
        Origin::Line { line, .. } => line,
    };
    meta.letters(filter).unwrap().into_iter().map(|filed| offset(filed.letter)).collect()
}

#[test]
fn a_letter_comes_back_as_it_was_filed() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let gone = Letter {
        kind: Kind::Expired,
        origin: Origin::Record { publisher: "q".to_owned(), epoch: [1; 12], offset: 9, record: None },
        ..rejected("q", 9, "too old")
    };
    let letters = [rejected("p", 1, "mapping"), line(4), gone];
    meta.commit_and_wait(file(letters.to_vec())).unwrap();
    drop(meta);
    let meta = open(&folder);
    let filed = meta.letters(&Filter::default()).unwrap();
    assert_eq!(filed.iter().map(|filed| filed.letter.clone()).collect::<Vec<_>>(), letters);
    assert_eq!(meta.letter(filed[1].number).unwrap().as_ref(), Some(&filed[1]));
    assert_eq!(meta.letter_at("q", [1; 12], 9).unwrap().as_ref(), Some(&filed[2]));
    assert_eq!(meta.letter_at("q", [2; 12], 9).unwrap(), None);
}

#[test]
fn a_letter_is_filed_once_whatever_is_said_the_second_time() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    meta.commit_and_wait(file(vec![rejected("p", 1, "first"), rejected("p", 1, "second")])).unwrap();
    meta.commit_and_wait(file(vec![rejected("p", 1, "third"), rejected("q", 1, "other publisher")])).unwrap();
    let reasons: Vec<_> =
        meta.letters(&Filter::default()).unwrap().into_iter().map(|filed| filed.letter.reason).collect();
    assert_eq!(reasons, ["first", "other publisher"]);
}

#[test]
fn the_oldest_goes_when_there_are_too_many_and_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { max_letters: 3, ..small() };
    let meta = Meta::open(folder.path(), limits.clone()).unwrap().0;
    let mut change = publisher("p", |change| change.cursor = Some(5));
    change.letters = vec![rejected("p", 1, "a"), rejected("q", 2, "b"), rejected("p", 3, "c"), rejected("p", 4, "d")];
    meta.commit_and_wait(change).unwrap();
    meta.commit_and_wait(file(vec![rejected("p", 5, "e"), line(6)])).unwrap();
    drop(meta);
    let meta = Meta::open(folder.path(), limits).unwrap().0;
    assert_eq!(offsets(&meta, &Filter::default()), [4, 5, 6]);
    let count = |held, evicted| LetterCount { held, evicted };
    let expected = [(String::new(), count(1, 0)), ("p".to_owned(), count(2, 2)), ("q".to_owned(), count(0, 1))];
    assert_eq!(meta.letter_counts().into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(meta.publisher("p").unwrap().unwrap().evicted, 2);
}

#[test]
fn the_bound_in_bytes_keeps_the_newest_and_takes_the_text_of_what_is_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let meta = Meta::open(folder.path(), Limits { max_letter_bytes: 2000, ..small() }).unwrap().0;
    let sized = |offset: u64, bytes: usize| Letter {
        origin: Origin::Record { publisher: "p".to_owned(), epoch: [7; 12], offset, record: Some("x".repeat(bytes)) },
        ..rejected("p", offset, "big")
    };
    meta.commit_and_wait(file(vec![sized(1, 800), sized(2, 800), sized(3, 800)])).unwrap();
    assert_eq!(offsets(&meta, &Filter::default()), [2, 3]);
    meta.commit_and_wait(file(vec![sized(4, 2001)])).unwrap();
    let filed = meta.letter_at("p", [7; 12], 4).unwrap().unwrap();
    assert!(matches!(filed.letter.origin, Origin::Record { record: None, .. }));
}

#[test]
fn the_filter_takes_publisher_kind_reason_place_and_limit() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let poison = Letter { kind: Kind::Poison, ..rejected("p", 4, "unreachable") };
    let letters = vec![rejected("p", 1, "mapping x"), rejected("q", 2, "mapping y"), line(3), poison];
    meta.commit_and_wait(file(letters)).unwrap();
    let by = |fill: fn(&mut Filter)| {
        let mut filter = Filter::default();
        fill(&mut filter);
        offsets(&meta, &filter)
    };
    assert_eq!(by(|filter| filter.publisher = Some("p".to_owned())), [1, 4]);
    assert_eq!(by(|filter| filter.publisher = Some(String::new())), [3]);
    assert_eq!(by(|filter| filter.kind = Some(Kind::Poison)), [4]);
    assert_eq!(by(|filter| filter.reason = Some("mapping".to_owned())), [1, 2]);
    assert_eq!(by(|filter| filter.limit = Some(2)), [1, 2]);
    assert_eq!(by(|filter| filter.limit = Some(0)), [] as [u64; 0]);
    assert_eq!(by(|filter| filter.from = 3), [3, 4]);
}

#[test]
fn letters_are_summed_up_by_publisher_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let letters = vec![rejected("p", 1, "a"), rejected("p", 2, "b"), rejected("p", 7, "a"), rejected("q", 3, "a")];
    meta.commit_and_wait(file(letters)).unwrap();
    let group = |publisher: &str, reason: &str, count, first, last| Group {
        publisher: publisher.to_owned(),
        reason: reason.to_owned(),
        count,
        first,
        last,
    };
    let expected =
        [group("p", "a", 2, 2001.0, 2007.0), group("p", "b", 1, 2002.0, 2002.0), group("q", "a", 1, 2003.0, 2003.0)];
    assert_eq!(meta.summary().unwrap(), expected);
}

#[test]
fn a_removed_letter_is_gone_and_its_number_does_not_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    meta.commit_and_wait(file(vec![rejected("p", 1, "a"), rejected("p", 2, "b")])).unwrap();
    let last = meta.letter_at("p", [7; 12], 2).unwrap().unwrap().number;
    meta.commit_and_wait(Change { remove_letters: vec![last, last, 999], ..Change::default() }).unwrap();
    drop(meta);
    let meta = open(&folder);
    assert_eq!(offsets(&meta, &Filter::default()), [1]);
    assert_eq!(meta.letter_counts()["p"], LetterCount { held: 1, evicted: 0 });
    meta.commit_and_wait(file(vec![rejected("p", 2, "again")])).unwrap();
    assert_eq!(meta.letter_at("p", [7; 12], 2).unwrap().unwrap().number, last + 1);
}

#[test]
fn a_reason_that_is_too_long_is_cut_between_characters() {
    let folder = tempfile::tempdir().unwrap();
    let meta = open(&folder);
    let reason = format!("x{}", "é".repeat(super::super::MAX_REASON));
    meta.commit_and_wait(file(vec![rejected("p", 1, &reason)])).unwrap();
    let kept = meta.letter_at("p", [7; 12], 1).unwrap().unwrap().letter.reason;
    assert_eq!(kept.len(), super::super::MAX_REASON - 1);
    assert!(reason.starts_with(&kept));
}
