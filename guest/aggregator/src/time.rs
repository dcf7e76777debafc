//! Lengths of time as a config has them.

use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A length of time, written as seconds, `90` or `0.5`, or as text, `60s` or `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time: seconds, or text such as \"60s\"")
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Time, E> {
        Ok(Time(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Time, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Time, E> {
        let no_time = |error| E::custom(format_args!("{seconds} is no length of time: {error}"));
        Duration::try_from_secs_f64(seconds).map(Time).map_err(no_time)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        let no_time = |error| E::custom(format_args!("`{text}` is no length of time such as 60s: {error}"));
        humantime::parse_duration(text).map(Time).map_err(no_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Duration, String> {
        serde_json::from_str(json).map(|Time(time)| time).map_err(|error| error.to_string())
    }

    #[test]
    fn seconds_and_texts_are_lengths_of_time() {
        for (json, milliseconds) in [("60", 60_000), ("0.25", 250), ("\"1h 30m\"", 5_400_000), ("\"250ms\"", 250)] {
            assert_eq!(read(json), Ok(Duration::from_millis(milliseconds)), "{json}");
        }
    }

    #[test]
    fn what_is_none_says_what_would_be() {
        for (json, expected) in [
            ("-1", "-1 is no length of time: "),
            ("1e300", "is no length of time: "),
            ("\"60\"", "`60` is no length of time such as 60s: time unit needed"),
            ("true", "invalid type: boolean `true`, expected a length of time: seconds, or text such as \"60s\""),
        ] {
            let error = read(json).expect_err(json);
            assert!(error.contains(expected), "{error}");
        }
    }
}
