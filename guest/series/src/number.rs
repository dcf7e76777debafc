//! Numbers as text, in the forms that Prometheus' parsers read back exactly.

/// Appends the shortest text that reads back as `value`; whole numbers have no `.0`.
pub(crate) fn float(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value);
        out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
    } else {
        out.extend_from_slice(special(value).as_bytes());
    }
}

/// Appends a count: exactly up to the greatest `u64`, as a float beyond it.
pub(crate) fn integer(value: u128, out: &mut Vec<u8>) {
    match u64::try_from(value) {
        Ok(exact) => unsigned(exact, out),
        Err(_) => float(value as f64, out),
    }
}

/// Appends a count.
pub(crate) fn unsigned(value: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The canonical form of a bucket's bound, the one that Prometheus 3 stores: `1.0`, `0.0005`, `1e-05`, `1e+06`, `+Inf`.
pub(crate) fn canonical(value: f64) -> String {
    if !value.is_finite() {
        return special(value).to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        -4..=5 => format!("{value:?}"),
        small if small < 0 => format!("{digits}e-{:02}", small.unsigned_abs()),
        large => format!("{digits}e+{large:02}"),
    }
}

fn special(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn floats_are_short_and_whole_numbers_have_no_point() {
        let cases = [
            (0.0, "0"),
            (5.0, "5"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1_795_368_571.499_38, "1795368571.49938"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(|out| float(value, out)), expected);
        }
    }

    #[test]
    fn counts_are_exact_up_to_the_greatest_u64_and_floats_beyond() {
        assert_eq!(text(|out| integer(u128::from(u64::MAX), out)), "18446744073709551615");
        let beyond = text(|out| integer(u128::from(u64::MAX) + 1, out));
        assert_eq!(beyond.parse(), Ok(18_446_744_073_709_551_616.0_f64));
        assert!(beyond.contains('e'), "{beyond}");
    }

    #[test]
    fn bounds_are_written_as_prometheus_stores_them() {
        let cases = [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.0005, "0.0005"),
            (0.00005, "5e-05"),
            (0.000_123, "0.000123"),
            (600.0, "600.0"),
            (100_000.0, "100000.0"),
            (123_456.5, "123456.5"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (1e-10, "1e-10"),
            (1e300, "1e+300"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, expected) in cases {
            assert_eq!(canonical(value), expected);
        }
    }

    proptest! {
        #[test]
        fn every_float_reads_back_as_itself(value: f64) {
            let value = if value.is_nan() { f64::NAN } else { value };
            for text in [text(|out| float(value, out)), canonical(value)] {
                let read: f64 = text.parse().expect("a float");
                prop_assert_eq!(read.to_bits(), value.to_bits(), "{}", text);
            }
        }
    }
}
