//! What Loki's words for a refusal (400) say of the other lines of the same push.
//!
//! A refusal is of some lines of a push, and the others are stored all the same. The words name some of the bad ones:
//!
//! - `entry with timestamp … ignored, reason: 'entry too far behind, entry timestamp is: …, oldest acceptable timestamp is:
//!   2026-11-23T01:00:00Z',`
//! - `entry for stream '{…}' has timestamp too old: …, oldest acceptable timestamp is: 2026-11-16T02:00:00Z`
//! - `entry for stream '{…}' has timestamp too new: 2026-11-23T05:00:00Z`
//!
//! Of several such of one push the last two kinds are joined: `2 errors like: …; 1 errors like: …` (seen at 3.7.8).
//!
//! By these times the bad ones are told apart in one step; without them halving would take two requests a line. The
//! times have whole seconds, cut off, so what lies within that second is not judged here.

use metricast_sdk::time::rfc3339;

const OLDEST: &str = "oldest acceptable timestamp is: ";
const TOO_NEW: &str = "has timestamp too new: ";
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
    /// Whether it is of times.
    pub(crate) is_of_time: bool,
    /// Whether it is of the newest line of the stream, not of the clock.
    is_behind: bool,
    /// Before it every line is bad, nanoseconds since the Unix epoch.
    oldest: Option<i64>,
    /// From it on every line is bad.
    newest: Option<i64>,
}

impl Refusal {
    pub(crate) fn read(words: &str) -> Self {
        let least = |mark: &str| words.split(mark).skip(1).filter_map(nanos).min();
        Self {
            is_of_all: OF_ALL_LINES.iter().any(|mark| words.contains(mark)),
            is_of_time: OF_TIME.iter().any(|mark| words.contains(mark)),
            is_behind: words.contains("too far behind"),
            oldest: least(OLDEST),
            newest: least(TOO_NEW).map(|named| named.saturating_add(SECOND)),
        }
    }

    /// Whether a line of this time is bad for certain.
    pub(crate) fn refuses(&self, nanos: i64) -> bool {
        self.is_too_old(nanos) || self.is_too_new(nanos)
    }

    /// Why a line of this time is bad: in Loki's words, without those that are of other lines.
    pub(crate) fn reason(&self, nanos: i64, words: &str) -> String {
        match self.oldest {
            Some(oldest) if nanos < oldest => {
                let kind = if self.is_behind { "entry too far behind" } else { "timestamp too old" };
                format!("{kind}, {OLDEST}{}", rfc3339(oldest as f64 / 1e9))
            }
            _ if self.is_too_new(nanos) => "timestamp too new".to_owned(),
            _ => words.to_owned(),
        }
    }

    fn is_too_old(&self, nanos: i64) -> bool {
        self.oldest.is_some_and(|oldest| nanos < oldest)
    }

    fn is_too_new(&self, nanos: i64) -> bool {
        self.newest.is_some_and(|newest| nanos >= newest)
    }
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_times_of_each_form_are_read() {
        let far = Refusal::read(
            "entry with timestamp 2026-11-22 01:00:00.5 +0000 UTC ignored, reason: 'entry too far behind, oldest \
             acceptable timestamp is: 2026-11-23T01:00:00Z',\nuser 'a', total ignored: 2 out of 3 for stream: {}",
        );
        let oldest = nanos("2026-11-23T02:00:00+01:00").unwrap();
        assert_eq!(oldest, 1_795_395_600 * SECOND);
        assert!(far.is_of_time && !far.is_of_all);
        assert!(far.refuses(oldest - 1) && !far.refuses(oldest));
        let new = Refusal::read("entry for stream '{a=\"b\"}' has timestamp too new: 2026-11-23T01:00:00Z");
        assert_eq!(new.reason(oldest + SECOND, "400 why"), "timestamp too new");
        assert_eq!(new.reason(oldest, "400 why"), "400 why");
        let limit = "oldest acceptable timestamp is: 2026-11-23T01:00:00.000000Z";
        assert_eq!(far.reason(oldest - 1, ""), format!("entry too far behind, {limit}"));
        assert!(new.is_of_time && !new.refuses(oldest + SECOND - 1) && new.refuses(oldest + SECOND));
    }

    #[test]
    fn joined_words_are_read_each() {
        let words = "1 errors like: entry for stream '{a=\"b\"}' has timestamp too old: 2026-11-14T03:43:24Z, oldest \
                     acceptable timestamp is: 2026-11-16T03:43:24Z; 1 errors like: entry for stream '{a=\"b\"}' has \
                     timestamp too new: 2026-11-23T05:45:04Z";
        let at = |text| nanos(text).unwrap();
        let refusal = Refusal::read(words);
        for (time, is_bad) in [
            ("2026-11-16T03:43:23Z", true),
            ("2026-11-16T03:43:24Z", false),
            ("2026-11-23T05:45:04Z", false),
            ("2026-11-23T05:45:05Z", true),
        ] {
            assert_eq!(refusal.refuses(at(time)), is_bad, "{time}");
        }
        let told = refusal.reason(0, words);
        assert_eq!(told, "timestamp too old, oldest acceptable timestamp is: 2026-11-16T03:43:24.000000Z");
    }

    #[test]
    fn words_without_a_time_judge_no_line() {
        for words in
            ["Max entry size '262144' bytes exceeded", "", "oldest acceptable timestamp is: yesterday, maybe ä"]
        {
            let refusal = Refusal::read(words);
            assert!(!refusal.refuses(0) && !refusal.refuses(i64::MAX) && !refusal.is_of_all, "{words}");
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
            prop_assert!(Refusal::read(&text).is_of_time);
        }
    }
}
