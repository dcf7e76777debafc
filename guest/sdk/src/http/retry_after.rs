//! How long a backend asks to wait: `Retry-After` as seconds or as a date.

use super::Response;

/// Milliseconds to wait; none where nothing is said. A date counts from the response's own `Date`, so that no clock
/// here has to be right.
pub(super) fn millis(response: &Response) -> Option<u64> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = httpdate::parse_http_date(response.header("date")?.trim()).ok()?;
    let wait = until.duration_since(now).unwrap_or_default();
    u64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        millis(&Response { status: 429, headers, body: Vec::new() })
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(with(&[("retry-after", "7")]), Some(7000));
        assert_eq!(with(&[("retry-after", "18446744073709551615")]), Some(u64::MAX));
        let date = ("date", "Sun, 22 Nov 2026 17:29:31 GMT");
        assert_eq!(with(&[date, ("retry-after", "Sun, 22 Nov 2026 17:29:41 GMT")]), Some(10_000));
        assert_eq!(with(&[date, ("retry-after", "Sun, 22 Nov 2026 17:00:00 GMT")]), Some(0));
    }

    #[test]
    fn what_cannot_be_told_is_left_to_the_host() {
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("retry-after", "soon")]), None);
        assert_eq!(with(&[("retry-after", "-1")]), None);
        assert_eq!(with(&[("retry-after", "Sun, 22 Nov 2026 17:29:41 GMT")]), None);
    }
}
