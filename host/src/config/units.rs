//! Sizes and times as people write them: `64MiB`, `200ms`.

use std::time::Duration;

const UNITS: [(&str, u64); 8] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// Reads `64MiB`, `1.5 GB` or `4096` (bytes); none if it is no size or above what this machine can address.
pub(super) fn parse_size(text: &str) -> Option<usize> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let unit = if unit.is_empty() { "B" } else { unit };
    let (_, scale) = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    let bytes = match number.parse::<u64>() {
        Ok(whole) => whole.checked_mul(*scale)?,
        Err(_) => scaled(number.parse().ok()?, *scale)?,
    };
    usize::try_from(bytes).ok()
}

fn scaled(number: f64, scale: u64) -> Option<u64> {
    let bytes = number * scale as f64;
    (bytes.is_finite() && bytes < u64::MAX as f64).then_some(bytes as u64)
}

/// A size in the largest unit that leaves it at least 1: `64MiB`, `1.5GiB`.
pub(crate) fn show_size(bytes: u64) -> String {
    let (unit, scale) =
        UNITS.iter().rev().find(|(name, scale)| is_binary(name) && bytes >= *scale).unwrap_or(&UNITS[0]);
    if bytes.is_multiple_of(*scale) {
        format!("{}{unit}", bytes / scale)
    } else {
        format!("{:.1}{unit}", bytes as f64 / *scale as f64)
    }
}

fn is_binary(unit: &str) -> bool {
    unit.ends_with("iB")
}

/// Reads `30s`, `200ms` or `1h 30m`.
pub(super) fn parse_time(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}

/// A time as it is written in a config: `1m 30s`.
pub(crate) fn show_time(time: Duration) -> String {
    humantime::format_duration(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_a_unit() {
        for (text, bytes) in [("64MiB", 64 << 20), ("1.5 gib", 3 << 29), ("4096", 4096), ("2kb", 2000), ("0", 0)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "5 bananas", "1.2.3MB", "-1", "99999999999TiB", "1e3"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn times_are_shown_as_they_are_written() {
        for text in ["0s", "200ms", "1m 30s"] {
            assert_eq!(show_time(parse_time(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (bytes, text) in [(0, "0B"), (1000, "1000B"), (64 << 20, "64MiB"), (3 << 29, "1.5GiB"), (2500, "2.4KiB")] {
            assert_eq!(show_size(bytes), text);
        }
    }
}
