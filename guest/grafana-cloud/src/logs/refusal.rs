//! What Loki's words for a refusal (400) say of the other lines of the same push.
//!
//! A refusal is of some lines of a push, and the others are stored all the same. The words name some of the bad ones:
//!
//! - `entry with timestamp … ignored, reason: 'entry too far behind, entry timestamp is: …, oldest acceptable timestamp is:
//!   2026-11-23T01:00:00Z',`
//! - `entry for stream '{…}' has timestamp too old: …, oldest acceptable timestamp is: 2026-11-16T02:00:00Z`
//! - `entry for stream '{…}' has timestamp too new: 2026-11-23T05:00:00Z`
//!
//! - `max entry size '262144' bytes exceeded for stream '{…}' while adding an entry with length '300284'`
//! - `user 'a', total ignored: 2 out of 3 for stream: {…}`, behind the first kind
//!
//! The other kinds are counted where there are several: `2 errors like: …; 1 errors like: …` (seen at 3.7.8).
//!
//! By times and lengths the bad lines are told apart in one step, and by the count it is known whether that was all of
//! them, so that the good ones need not be sent again: Loki drops a line that it has only within the newest 256 KB of a
//! stream, and until a chunk is flushed its metric queries count later repeats. The times have whole seconds, cut off.

const OLDEST: &str = "oldest acceptable timestamp is: ";
const TOO_NEW: &str = "has timestamp too new: ";
const TOO_LONG: &str = "max entry size '";
const OF_TIME: [&str; 5] = [OLDEST, TOO_NEW, "too far behind", "timestamp too old", "out of order"];
/// Of labels, which the config makes, or of a feature that is off: no line fares better or worse than another.
const OF_ALL_LINES: [&str; 5] =
    ["this feature is disallowed", "label name", "label value", "label pair", "parse labels"];
const SECOND: i64 = 1_000_000_000;

/// Words, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Whether it is of the stream or the receiver, not of a line.
    pub(crate) is_of_all: bool,
    is_of_time: bool,
    /// Whether it is of the newest line of the stream, not of the clock.
    is_behind: bool,
    /// Before it lines are bad, nanoseconds since the Unix epoch: the whole second.
    oldest: Option<i64>,
    /// From it on lines are bad: the whole second.
    newest: Option<i64>,
    /// Longer lines are bad, bytes.
    longest: Option<usize>,
    /// How many are bad, and of how many where the words say.
    bad: Option<usize>,
    of: Option<usize>,
}

/// What the words judge a line by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    /// Its time, nanoseconds since the Unix epoch.
    pub(crate) nanos: i64,
    /// Bytes of its text.
    pub(crate) length: usize,
}

/// How bad lines are told from good ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// Those that may be bad are, and all others are stored.
    Loose,
    /// Those that are surely bad are all of them, and all others are stored.
    Strict,
    /// Others may be bad too.
    Open,
}

impl Refusal {
    pub(crate) fn read(words: &str) -> Self {
        let least = |mark: &str| words.split(mark).skip(1).filter_map(nanos).min();
        let ignored = words.split_once("total ignored: ").and_then(|(_, rest)| rest.split_once(" out of "));
        let pieces: Vec<&str> = words.split(" errors like: ").collect();
        let mut counts = pieces[..pieces.len() - 1].iter().map(|piece| last_number(piece));
        let bad = match ignored {
            Some((bad, _)) => bad.parse().ok(),
            None if pieces.len() > 1 => counts.try_fold(0, |sum: usize, count| sum.checked_add(count?)),
            None => Some(1),
        };
        Self {
            is_of_all: OF_ALL_LINES.iter().any(|mark| words.contains(mark)),
            is_of_time: OF_TIME.iter().any(|mark| words.contains(mark)),
            is_behind: words.contains("too far behind"),
            oldest: least(OLDEST),
            newest: least(TOO_NEW),
            longest: words.split_once(TOO_LONG).and_then(|(_, rest)| rest.split_once('\'')?.0.parse().ok()),
            bad,
            of: ignored.and_then(|(_, rest)| rest.split_once(' ')?.0.parse().ok()),
        }
    }

    /// How the lines of the refused push are judged.
    pub(crate) fn judgement(&self, lines: &[Measure]) -> Judgement {
        let is_whole = self.of.is_none_or(|of| of == lines.len());
        let count = |judgement| lines.iter().filter(|line| self.refuses(judgement, **line)).count();
        let is_all = |judgement| is_whole && self.bad == Some(count(judgement));
        match () {
            () if is_all(Judgement::Strict) => Judgement::Strict,
            () if is_all(Judgement::Loose) => Judgement::Loose,
            () => Judgement::Open,
        }
    }

    /// Whether a line is bad.
    pub(crate) fn refuses(&self, judgement: Judgement, line: Measure) -> bool {
        let (past, future) = if judgement == Judgement::Loose { (SECOND, 0) } else { (0, SECOND) };
        self.oldest.is_some_and(|oldest| line.nanos < oldest.saturating_add(past))
            || self.newest.is_some_and(|newest| line.nanos >= newest.saturating_add(future))
            || self.is_too_long(line)
    }

    /// Whether another time would make the line a good one.
    pub(crate) fn is_of_time(&self, line: Measure) -> bool {
        self.is_of_time && !self.is_too_long(line)
    }

    /// Why a line is bad: in Loki's words, without those that are of other lines or differ from push to push, so that
    /// whoever counts records by reason counts few; the settings of Loki stand in brackets.
    pub(crate) fn reason(&self, line: Measure, words: &str) -> String {
        if let Some(longest) = self.longest.filter(|_| self.is_too_long(line)) {
            return format!("{TOO_LONG}{longest}' bytes exceeded (max_line_size)");
        }
        match (self.oldest, self.newest) {
            (Some(oldest), _) if line.nanos < oldest.saturating_add(SECOND) => {
                let behind = "entry too far behind the newest of its stream (max_chunk_age)";
                if self.is_behind { behind } else { "timestamp too old (reject_old_samples_max_age)" }
            }
            (_, Some(newest)) if line.nanos >= newest => "timestamp too new (creation_grace_period)",
            _ => words,
        }
        .to_owned()
    }

    fn is_too_long(&self, line: Measure) -> bool {
        self.longest.is_some_and(|longest| line.length > longest)
    }
}

fn last_number(text: &str) -> Option<usize> {
    text.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The time that a text begins with, as Go's `RFC3339` writes it: `2026-11-23T01:00:00Z`, `2026-11-23T02:00:00+01:00`.
fn nanos(text: &str) -> Option<i64> {
    let (time, zone) = text.split_at_checked(19)?;
    let number = |at: usize| time.get(at..at + 2)?.parse::<i64>().ok();
    let year = time.get(..4)?.parse::<i64>().ok()?;
    let days = days(year, number(5)?, number(8)?);
    let clock = (number(11)? * 60 + number(14)?) * 60 + number(17)?;
    let offset = match zone.as_bytes() {
        [b'Z', ..] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] => {
            let [h1, h2, m1, m2] = [h1, h2, m1, m2].map(|digit| i64::from(digit.wrapping_sub(b'0')));
            let seconds = (h1 * 10 + h2) * 3600 + (m1 * 10 + m2) * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    (days * 86_400 + clock - offset).checked_mul(SECOND)
}

/// Days since 1970. Years are counted from March, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (month * 153 + 2) / 5 + day
        - 719_469
}

#[cfg(test)]
mod tests {
    use metricast_sdk::time::rfc3339;
    use proptest::prelude::*;

    use super::*;

    const FAR: &str = "entry with timestamp 2026-11-22 01:00:00.5 +0000 UTC ignored, reason: 'entry too far behind, entry \
                       timestamp is: 2026-11-22T01:00:00Z, oldest acceptable timestamp is: 2026-11-23T01:00:00Z',\nuser 'a', \
                       total ignored: 2 out of 3 for stream: {}";
    const JOINED: &str = "2 errors like: entry for stream '{a=\"b\"}' has timestamp too old: 2026-11-14T03:43:24Z, oldest \
                          acceptable timestamp is: 2026-11-16T03:43:24Z; 1 errors like: entry for stream '{a=\"b\"}' has \
                          timestamp too new: 2026-11-23T05:45:04Z; 1 errors like: max entry size '4096' bytes exceeded for \
                          stream '{a=\"b\"}' while adding an entry with length '5000' bytes";

    fn at(time: &str) -> Measure {
        Measure { nanos: nanos(time).unwrap(), length: 100 }
    }

    fn judgement(words: &str, lines: &[Measure]) -> Judgement {
        Refusal::read(words).judgement(lines)
    }

    #[test]
    fn the_words_of_a_stream_say_which_and_how_many() {
        let [old, edge, new] = ["2026-11-23T00:59:59Z", "2026-11-23T01:00:00Z", "2026-11-23T01:00:01Z"].map(at);
        assert_eq!(at("2026-11-23T02:00:00+01:00"), edge);
        assert_eq!(edge.nanos, 1_795_395_600 * SECOND);
        assert_eq!(judgement(FAR, &[old, old, edge]), Judgement::Strict);
        assert_eq!(judgement(FAR, &[old, edge, new]), Judgement::Loose, "the limit is somewhere in that second");
        assert_eq!(judgement(FAR, &[edge, edge, edge]), Judgement::Open);
        assert_eq!(judgement(FAR, &[old, old, edge, new]), Judgement::Open, "one was refused for another reason");
        let read = Refusal::read(FAR);
        assert!(read.is_of_time(old) && !read.is_of_all);
        assert!(read.refuses(Judgement::Loose, edge) && !read.refuses(Judgement::Strict, edge));
        let behind = "entry too far behind the newest of its stream (max_chunk_age)";
        assert_eq!(read.reason(old, "400 why"), behind);
        assert_eq!(read.reason(new, "400 why"), "400 why");
    }

    #[test]
    fn joined_words_are_read_each() {
        let [old, good, new] = ["2026-11-14T03:43:24Z", "2026-11-20T00:00:00Z", "2026-11-23T05:45:04Z"].map(at);
        let long = Measure { length: 5000, ..good };
        assert_eq!(judgement(JOINED, &[old, old, good, new, long]), Judgement::Loose);
        assert_eq!(judgement(JOINED, &[old, old, good, good, new]), Judgement::Open);
        let read = Refusal::read(JOINED);
        assert!(read.is_of_time(old) && !read.is_of_time(long));
        let told = [old, new, long].map(|line| read.reason(line, ""));
        let expected = [
            "timestamp too old (reject_old_samples_max_age)",
            "timestamp too new (creation_grace_period)",
            "max entry size '4096' bytes exceeded (max_line_size)",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn words_without_a_measure_judge_no_line() {
        let lines = [Measure { nanos: 0, length: 0 }, Measure { nanos: i64::MAX, length: usize::MAX }];
        for words in ["out of order", "", "oldest acceptable timestamp is: yesterday, maybe ä", "errors like: "] {
            let read = Refusal::read(words);
            assert_eq!(judgement(words, &lines), Judgement::Open, "{words}");
            assert!(!read.is_of_all && lines.iter().all(|line| !read.refuses(Judgement::Open, *line)), "{words}");
        }
        assert!(Refusal::read("includes structured metadata, but this feature is disallowed.").is_of_all);
    }

    proptest! {
        #[test]
        fn every_second_is_read_as_it_is_written(seconds in 0_i64..9_223_372_036) {
            prop_assert_eq!(nanos(&rfc3339(seconds as f64).replace(".000000", "")), seconds.checked_mul(SECOND));
        }

        #[test]
        fn words_of_any_kind_are_read(words in ".{0,60}", mark in prop::sample::select(&OF_TIME[..])) {
            let text = format!("{words}{mark}{words}");
            let read = Refusal::read(&text);
            let line = Measure { nanos: 0, length: 0 };
            prop_assert!(read.is_of_time(line));
        }
    }
}
