//! What an answer that is no success says, in few words.

use metricast_sdk::http::Response;
use metricast_sdk::shortened;
use serde_json::Value;

/// The status, and what the body says: the `message` or `error` of JSON, the message of an OTLP status, or its text.
pub(crate) fn told(response: &Response) -> String {
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let message = ["message", "error"].into_iter().find_map(|key| body[key].as_str());
    let text = message.map_or_else(|| printable(&response.body), str::to_owned);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let status = response.status;
    if let (300..=399, Some(there)) = (status, response.header("location")) {
        return shortened(format!("{status} it points to {there}, and redirects are not followed"));
    }
    // Go's servers say "404 page not found".
    let text = text.strip_prefix(&format!("{status} ")).unwrap_or(&text);
    if text.is_empty() { status.to_string() } else { shortened(format!("{status} {text}")) }
}

/// What of the bytes can be read: an OTLP receiver answers with a protobuf `Status` around its message.
fn printable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut runs = text.split(|c: char| (c.is_control() && !c.is_whitespace()) || c == char::REPLACEMENT_CHARACTER);
    let longest = runs.by_ref().max_by_key(|run| run.trim().len()).unwrap_or_default();
    longest.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &[u8]) -> Response {
        Response { status, headers: Vec::new(), body: body.to_vec() }
    }

    #[test]
    fn bodies_of_any_form_are_told() {
        let gcom = br#"{"code":"InvalidCredentials","message":"Token invalid","requestId":"1"}"#;
        assert_eq!(told(&response(401, gcom)), "401 Token invalid");
        assert_eq!(told(&response(400, br#"{"status":"error","error":"no org id"}"#)), "400 no org id");
        assert_eq!(told(&response(400, b"out of order sample\n")), "400 out of order sample");
        assert_eq!(told(&response(503, b"")), "503");
        assert_eq!(told(&response(404, b"404 page not found\n")), "404 page not found");
        assert_eq!(told(&response(500, b"\x08\x0d\x12\x10invalid delta sum")), "500 invalid delta sum");
        let long = told(&response(500, "ä".repeat(400).as_bytes()));
        assert!(long.ends_with("ä…"), "{long}");
    }

    #[test]
    fn a_redirect_is_told_by_where_it_points() {
        let mut moved = response(302, b"<html>");
        moved.headers.push(("location".to_owned(), "https://evil.example/".to_owned()));
        assert_eq!(told(&moved), "302 it points to https://evil.example/, and redirects are not followed");
    }
}
