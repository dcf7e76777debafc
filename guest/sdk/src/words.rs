//! A backend's words, as they are handed on.

/// How long a reason may be that is handed on, in bytes.
const LONGEST: usize = 500;

/// The text, cut behind 500 bytes: what a backend says is of any length.
pub fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("ä".repeat(250)), "ä".repeat(250));
        assert_eq!(shortened("x".to_owned() + &"ä".repeat(250)), "x".to_owned() + &"ä".repeat(249) + "…");
    }
}
