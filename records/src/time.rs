//! Times as metricast takes and writes them: seconds since the Unix epoch as a double, RFC 3339 text in UTC.

use std::ops::RangeInclusive;

/// The times that a record may have, seconds since the Unix epoch: from 1970 to 2262-04-11, what 64 bits of
/// nanoseconds hold (the range of `date_nanos`,
/// <https://www.elastic.co/guide/en/elasticsearch/reference/current/date_nanos.html>).
pub const RANGE: RangeInclusive<f64> = 0.0..=9_223_372_036.0;

/// Whether a record may have this time.
pub fn in_range(seconds: f64) -> bool {
    RANGE.contains(&seconds)
}

/// Appends a time as RFC 3339 in UTC with microseconds: `2026-11-22T17:29:31.750000Z`. A time outside of [`RANGE`]
/// is written as the nearest one within.
pub fn write_rfc3339(seconds: f64, out: &mut String) {
    let text = rfc3339_bytes(seconds);
    out.push_str(std::str::from_utf8(&text).expect("digits and punctuation are ASCII"));
}

/// A time as RFC 3339 in UTC with microseconds.
pub fn rfc3339(seconds: f64) -> String {
    let mut out = String::with_capacity(27);
    write_rfc3339(seconds, &mut out);
    out
}

/// As [`write_rfc3339`], as bytes: for writers of many documents.
pub fn rfc3339_bytes(seconds: f64) -> [u8; 27] {
    const MICROS_A_DAY: u64 = 86_400_000_000;
    let micros = (seconds.clamp(*RANGE.start(), *RANGE.end()) * 1e6 + 0.5) as u64;
    let (days, of_day) = ((micros / MICROS_A_DAY) as u32, micros % MICROS_A_DAY);
    let (second, micro) = ((of_day / 1_000_000) as u32, (of_day % 1_000_000) as u32);
    let (year, month, day) = date(days);
    let mut text = *b"YYYY-MM-DDThh:mm:ss.uuuuuuZ";
    let pairs = [(0, year / 100), (2, year % 100), (5, month), (8, day), (11, second / 3600), (14, second / 60 % 60)];
    let fraction = [(17, second % 60), (20, micro / 10_000), (22, micro / 100 % 100), (24, micro % 100)];
    for (at, pair) in pairs.into_iter().chain(fraction) {
        text[at] = b'0' + (pair / 10) as u8;
        text[at + 1] = b'0' + (pair % 10) as u8;
    }
    text
}

/// Year, month and day of a number of days since 1970. Years are counted from March, so that the leap day comes last.
fn date(days: u32) -> (u32, u32, u32) {
    const DAYS_IN_400_YEARS: u32 = 146_097;
    const FROM_MARCH_OF_YEAR_0: u32 = 719_468;
    let days = days + FROM_MARCH_OF_YEAR_0;
    let (era, of_era) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (year * 365 + year / 4 - year / 100);
    // Months from March have 153 days in five.
    let month = (of_year * 5 + 2) / 153;
    let day = of_year - (month * 153 + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::fmt::temporal::DateTimePrinter;
    use proptest::prelude::*;

    use super::{RANGE, rfc3339};

    proptest! {
        #[test]
        fn every_time_is_written_as_a_calendar_has_it(seconds in RANGE) {
            let micros = (seconds * 1e6 + 0.5) as i64;
            let timestamp = Timestamp::from_microsecond(micros).unwrap();
            let expected = DateTimePrinter::new().precision(Some(6)).timestamp_to_string(&timestamp);
            prop_assert_eq!(rfc3339(seconds), expected);
        }
    }

    #[test]
    fn leap_days_are_where_they_belong() {
        assert_eq!(rfc3339(951_782_400.0), "2000-02-29T00:00:00.000000Z");
        assert_eq!(rfc3339(1_709_251_199.999_999), "2024-02-29T23:59:59.999999Z");
        assert_eq!(rfc3339(4_107_542_400.0), "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn microseconds_and_utc_are_always_written() {
        assert_eq!(rfc3339(0.0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(1_795_368_571.444_72), "2026-11-22T17:29:31.444720Z");
        assert_eq!(rfc3339(9_223_372_036.0), "2262-04-11T23:47:16.000000Z");
    }

    #[test]
    fn times_outside_of_the_range_do_not_panic() {
        assert_eq!(rfc3339(f64::NAN), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc3339(f64::INFINITY), "2262-04-11T23:47:16.000000Z");
        assert_eq!(rfc3339(-1.0), "1970-01-01T00:00:00.000000Z");
    }
}
