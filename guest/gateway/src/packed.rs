//! A page packed with gzip, for a scraper that takes it so (RFC 9110, section 12.5.3).

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::answer::Answer;
use crate::request::Head;

/// Packs the answer's body where the request allows that.
pub(crate) fn packed(head: &Head, mut answer: Answer) -> Answer {
    answer.headers.push(("vary", "accept, accept-encoding".to_owned()));
    if !takes_gzip(head) {
        return answer;
    }
    // Pages are as alike as pages are: a higher level takes far longer and gains little.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    if encoder.write_all(&answer.body).is_ok()
        && let Ok(body) = encoder.finish()
    {
        answer.headers.push(("content-encoding", "gzip".to_owned()));
        answer.body = body;
    }
    answer
}

/// Whether gzip is named, or all that is not, and not with a weight of 0.
fn takes_gzip(head: &Head) -> bool {
    let (mut named, mut any) = (None, false);
    for value in head.all("accept-encoding").filter_map(|value| std::str::from_utf8(value).ok()) {
        for item in value.split(',') {
            let (coding, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight =
                weight.trim().strip_prefix(['q', 'Q']).and_then(|weight| weight.trim_start().strip_prefix('='));
            let is_taken = weight.is_none_or(|weight| weight.trim().parse::<f32>().is_ok_and(|weight| weight > 0.0));
            match coding.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => named = Some(is_taken),
                "*" => any = is_taken,
                _ => {}
            }
        }
    }
    named.unwrap_or(any)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn asked(accept_encoding: &str) -> Head {
        Head::new("GET", "/metrics", &[("Accept-Encoding", accept_encoding)])
    }

    #[test]
    fn gzip_is_taken_where_it_is_named_or_all_is() {
        for taken in ["gzip", "deflate, gzip;q=0.5", "GZIP", "*", "br;q=1, *;q=0.1", "gzip; q=1.000"] {
            assert!(takes_gzip(&asked(taken)), "{taken}");
        }
        for not in ["", "identity", "gzip;q=0", "gzip;q=0, *", "deflate", "*;q=0.000", "gzip;q=x"] {
            assert!(!takes_gzip(&asked(not)), "{not}");
        }
    }

    #[test]
    fn a_packed_page_is_the_page() {
        let page =
            || Answer { status: 200, headers: vec![("content-type", "text/plain".to_owned())], body: vec![b'a'; 9999] };
        let answer = packed(&asked("gzip"), page());
        assert!(answer.headers.contains(&("content-encoding", "gzip".to_owned())) && answer.body.len() < 500);
        let mut unpacked = Vec::new();
        GzDecoder::new(answer.body.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert_eq!(unpacked, page().body);
        let plain = packed(&asked("identity"), page());
        assert_eq!((plain.headers.len(), plain.body), (2, page().body));
    }
}
