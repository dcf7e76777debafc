//! Times as metricast takes and writes them: seconds since the Unix epoch as a double, RFC 3339 text in UTC.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

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
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    let micros = (seconds.clamp(*RANGE.start(), *RANGE.end()) * 1e6).round() as i64;
    let timestamp = Timestamp::from_microsecond(micros).unwrap_or_default();
    PRINTER.print_timestamp(&timestamp, out).unwrap_or_default();
}

/// A time as RFC 3339 in UTC with microseconds.
pub fn rfc3339(seconds: f64) -> String {
    let mut out = String::with_capacity(27);
    write_rfc3339(seconds, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

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
