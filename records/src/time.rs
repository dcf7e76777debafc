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

/// As [`write_rfc3339`], as bytes.
pub fn rfc3339_bytes(seconds: f64) -> [u8; 27] {
    let (second, micro) = parts(seconds);
    let mut text = whole_second(second);
    write_micros(micro, &mut text);
    text
}

/// Writes many times, most of which are near each other: a time of the same second as the one before costs a quarter.
#[derive(Clone, Debug)]
pub struct Rfc3339 {
    second: i64,
    text: [u8; 27],
}

impl Default for Rfc3339 {
    fn default() -> Self {
        Self { second: 0, text: whole_second(0) }
    }
}

impl Rfc3339 {
    /// As [`rfc3339_bytes`].
    pub fn bytes(&mut self, seconds: f64) -> [u8; 27] {
        let (second, micro) = parts(seconds);
        if second != self.second {
            *self = Self { second, text: whole_second(second) };
        }
        write_micros(micro, &mut self.text);
        self.text
    }
}

/// Seconds since 1970, and microseconds of the second.
fn parts(seconds: f64) -> (i64, u32) {
    let seconds = seconds.clamp(*RANGE.start(), *RANGE.end());
    let whole = seconds as i64;
    let micros = ((seconds - whole as f64) * 1e6 + 0.5) as u32;
    if micros < 1_000_000 { (whole, micros) } else { (whole + 1, 0) }
}

fn whole_second(second: i64) -> [u8; 27] {
    let (day, of_day) = ((second / 86_400) as u32, (second % 86_400) as u32);
    let (year, month, day) = date(day);
    let [y0, y1, y2, y3, m0, m1, d0, d1] = eight_digits([year / 100, year % 100, month, day]);
    let [h0, h1, i0, i1, s0, s1, ..] = eight_digits([of_day / 3600, of_day / 60 % 60, of_day % 60, 0]);
    let z = b'0';
    [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1, b'.', z, z, z, z, z, z, b'Z']
}

fn write_micros(micro: u32, text: &mut [u8; 27]) {
    let digits = eight_digits([micro / 10_000, micro / 100 % 100, micro % 100, 0]);
    text[20..26].copy_from_slice(&digits[..6]);
}

/// Four numbers below 100 as two digits each, worked out side by side in 16 bits each.
fn eight_digits([a, b, c, d]: [u32; 4]) -> [u8; 8] {
    const EACH: u64 = 0x0001_0001_0001_0001;
    let numbers = u64::from(a | (b << 16)) | (u64::from(c | (d << 16)) << 32);
    // 103 / 1024 is a tenth, near enough below 100.
    let tens = ((numbers * 103) >> 10) & (EACH * 0xf);
    let ones = numbers - tens * 10;
    (tens | (ones << 8)).wrapping_add(u64::from_le_bytes([b'0'; 8])).to_le_bytes()
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

    use super::{RANGE, Rfc3339, rfc3339, rfc3339_bytes};

    proptest! {
        #[test]
        fn every_time_is_written_as_a_calendar_has_it(seconds in RANGE) {
            let micros = seconds.trunc() as i64 * 1_000_000 + (seconds.fract() * 1e6 + 0.5) as i64;
            let timestamp = Timestamp::from_microsecond(micros).unwrap();
            let expected = DateTimePrinter::new().precision(Some(6)).timestamp_to_string(&timestamp);
            prop_assert_eq!(rfc3339(seconds), expected);
        }
    }

    proptest! {
        #[test]
        fn times_near_each_other_are_written_as_each_alone(times in proptest::collection::vec(1e9..1e9 + 3.0, 0..20)) {
            let mut writer = Rfc3339::default();
            for seconds in times {
                prop_assert_eq!(writer.bytes(seconds), rfc3339_bytes(seconds));
            }
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
