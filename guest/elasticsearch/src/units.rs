//! Sizes and times as a person writes them: `"10MB"`, `"30d"`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

const SIZES: [(&str, u64); 6] =
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];

/// A number of bytes: a whole number, or text with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfSize;
        impl Visitor<'_> for OfSize {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes, or a size such as \"10MB\" or \"8MiB\"")
            }

            fn visit_u64<E: Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Size, E> {
                let of_unit = |(unit, factor): (&str, u64)| with_unit(text, unit)?.checked_mul(factor);
                let bytes = SIZES.into_iter().find_map(of_unit).map(Size);
                bytes.ok_or_else(|| E::custom(format_args!("{text:?} is no size: write {}", Expected(&self))))
            }
        }
        deserializer.deserialize_any(OfSize)
    }
}

struct Expected<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

/// A whole number of days or hours, as both servers read it: `30d`, `12h`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    text: String,
    seconds: u64,
}

impl Span {
    /// So many days.
    pub(crate) fn days(days: u64) -> Self {
        Self { text: format!("{days}d"), seconds: days * 86_400 }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.seconds as f64
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let of_unit = |(unit, factor): (&str, u64)| with_unit(&text, unit)?.checked_mul(factor);
        match [("d", 86_400), ("h", 3_600)].into_iter().find_map(of_unit) {
            Some(seconds) if seconds > 0 => Ok(Self { text, seconds }),
            _ => Err(D::Error::custom(format_args!(
                "{text:?} is no time: write days or hours, such as \"30d\" or \"12h\""
            ))),
        }
    }
}

fn with_unit(text: &str, unit: &str) -> Option<u64> {
    let digits = text.strip_suffix(unit)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Size, Span};

    #[test]
    fn sizes_have_units_or_are_bytes() {
        for (written, bytes) in [
            (json!(1000), 1000),
            (json!("10MB"), 10_000_000),
            (json!("8MiB"), 8 << 20),
            (json!("64KiB"), 64 << 10),
            (json!("500kB"), 500_000),
            (json!("7B"), 7),
        ] {
            assert_eq!(serde_json::from_value::<Size>(written.clone()).unwrap(), Size(bytes), "{written}");
        }
        for written in
            [json!("10"), json!("10 MB"), json!("-1MB"), json!("1.5MB"), json!("MB"), json!("99999999999GiB")]
        {
            let told = serde_json::from_value::<Size>(written).unwrap_err().to_string();
            assert!(told.contains("is no size: write a number of bytes, or a size such as"), "{told}");
        }
        assert!(serde_json::from_value::<Size>(json!(-1)).is_err());
    }

    #[test]
    fn spans_are_whole_days_or_hours() {
        let span: Span = serde_json::from_value(json!("30d")).unwrap();
        assert_eq!((span.as_str(), span.seconds), ("30d", 2_592_000));
        assert_eq!(serde_json::from_value::<Span>(json!("12h")).unwrap().seconds, 43_200);
        for written in ["", "d", "0d", "30", "30 d", "-1d", "1.5d", "1w", "99999999999999999999d"] {
            let told = serde_json::from_value::<Span>(json!(written)).unwrap_err().to_string();
            assert!(told.contains("is no time: write days or hours"), "{told}");
        }
    }
}
