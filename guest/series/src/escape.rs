//! Escaping: what keeps a label value or a help text from forging a line.

/// Appends a label value; both formats escape the backslash, the double quote and the line feed.
pub(crate) fn label_value(text: &str, out: &mut Vec<u8>) {
    escaped(text, true, out);
}

/// Appends a help text of the 0.0.4 format, in which a double quote stands for itself.
pub(crate) fn help_text(text: &str, out: &mut Vec<u8>) {
    escaped(text, false, out);
}

/// Appends a help text of the OpenMetrics format.
pub(crate) fn help_open_metrics(text: &str, out: &mut Vec<u8>) {
    escaped(text, true, out);
}

fn escaped(text: &str, quotes: bool, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let replacement: &[u8] = match byte {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'"' if quotes => b"\\\"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(replacement);
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&str, &mut Vec<u8>), given: &str) -> String {
        let mut out = Vec::new();
        write(given, &mut out);
        String::from_utf8(out).expect("escaping keeps UTF-8")
    }

    #[test]
    fn a_label_value_cannot_end_its_line_or_its_quotes() {
        assert_eq!(text(label_value, "a\\b\"c\nd"), r#"a\\b\"c\nd"#);
        assert_eq!(text(label_value, "x\n# EOF\nup 1"), r"x\n# EOF\nup 1");
        assert_eq!(text(label_value, "naïve 🦀\r\0"), "naïve 🦀\r\0");
    }

    #[test]
    fn only_open_metrics_escapes_a_quote_in_help() {
        assert_eq!(text(help_text, "a \"b\"\n\\"), "a \"b\"\\n\\\\");
        assert_eq!(text(help_open_metrics, "a \"b\"\n\\"), "a \\\"b\\\"\\n\\\\");
    }
}
