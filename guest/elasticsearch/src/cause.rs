//! What a server says when it refuses: its error, in few words.

use metricast_sdk::http::Response;
use metricast_sdk::{PublishError, shortened};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// How many causes of causes are told.
const DEEPEST: usize = 4;

/// An error as Elasticsearch and OpenSearch word it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Cause {
    #[serde(rename = "type", default, deserialize_with = "text_or_none")]
    pub(crate) kind: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    caused_by: Option<Box<Cause>>,
}

/// Some servers say null.
fn text_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Cause {
    /// The error that a whole response is about. Bodies of proxies are in all forms: their text is taken as it is.
    pub(crate) fn of(response: &Response) -> Self {
        let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let from_text = |text: &str| Self { reason: Some(text.trim().to_owned()), ..Self::default() };
        match body.get("error") {
            Some(Value::String(text)) => from_text(text),
            Some(error) => Self::deserialize(error).unwrap_or_default(),
            None => from_text(&String::from_utf8_lossy(&response.body)),
        }
    }

    /// Type and reason, and what was behind it, with the status in front.
    pub(crate) fn told(&self, status: u16) -> String {
        let mut told = status.to_string();
        let mut cause = Some(self);
        for depth in 0..DEEPEST {
            let Some(Self { kind, reason, caused_by }) = cause else { break };
            let parts = [Some(kind.as_str()), reason.as_deref()].into_iter().flatten().filter(|part| !part.is_empty());
            for part in parts {
                told.push_str(if depth == 0 { " " } else { ": " });
                told.push_str(part);
            }
            cause = caused_by.as_deref();
        }
        shortened(told)
    }
}

/// A response that is no success, as the error of the whole call: `what` was asked.
pub(crate) fn refusal(what: &str, response: &Response) -> PublishError {
    let cause = Cause::of(response);
    let told = format!("{what}: {}", cause.told(response.status));
    match response.status {
        // A block is of the index, whoever asks.
        401 | 403 if cause.kind != "cluster_block_exception" => PublishError::Unauthorized(told),
        300..=399 => {
            let there = response.header("location").unwrap_or("another place");
            PublishError::unavailable(format!("{told}: it points to {there}, and redirects are not followed"))
        }
        _ => PublishError::Unavailable { reason: told, retry_after_ms: response.retry_after_ms() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    fn told(status: u16, body: &str) -> String {
        Cause::of(&response(status, body)).told(status)
    }

    #[test]
    fn a_cause_is_told_with_what_was_behind_it() {
        let body = r#"{"error":{"root_cause":[],"type":"mapper_parsing_exception","reason":"failed to parse",
            "caused_by":{"type":"illegal_argument_exception","reason":"data stream timestamp field [@timestamp] is missing"}},"status":400}"#;
        let expected = "400 mapper_parsing_exception failed to parse: illegal_argument_exception: data stream timestamp field [@timestamp] is missing";
        assert_eq!(told(400, body), expected);
    }

    #[test]
    fn bodies_of_any_form_are_told() {
        assert_eq!(
            told(405, r#"{"error":"Incorrect HTTP method for uri [/]","status":405}"#),
            "405 Incorrect HTTP method for uri [/]"
        );
        assert_eq!(told(502, "<html>Bad Gateway</html>\n"), "502 <html>Bad Gateway</html>");
        assert_eq!(told(503, ""), "503");
        assert_eq!(told(500, r#"{"error":[]}"#), "500");
        let long = told(500, &"ä".repeat(400));
        assert!(long.ends_with("ä…"), "{long}");
    }

    #[test]
    fn a_refusal_is_of_the_credentials_or_of_the_moment() {
        let security = r#"{"error":{"type":"security_exception","reason":"missing authentication credentials"}}"#;
        let unauthorized =
            PublishError::Unauthorized("GET /: 401 security_exception missing authentication credentials".into());
        assert_eq!(refusal("GET /", &response(401, security)), unauthorized);
        assert!(matches!(refusal("GET /", &response(403, "")), PublishError::Unauthorized(_)));
        let block =
            r#"{"error":{"type":"cluster_block_exception","reason":"blocked by: [FORBIDDEN/8/index write (api)]"}}"#;
        assert!(matches!(refusal("GET /", &response(403, block)), PublishError::Unavailable { .. }));
        let mut busy = response(429, "");
        busy.headers.push(("retry-after".into(), "3".into()));
        assert!(matches!(refusal("GET /", &busy), PublishError::Unavailable { retry_after_ms: Some(3000), .. }));
        let mut moved = response(301, "");
        moved.headers.push(("location".into(), "https://search/".into()));
        assert!(refusal("GET /", &moved).to_string().contains("points to https://search/"));
    }
}
