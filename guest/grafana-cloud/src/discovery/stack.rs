//! The shapes of the API's answers, as public documentation shows them: what is not needed is not read, and what is may
//! be missing.
//! (<https://grafana.com/docs/grafana-cloud/developer-resources/api-reference/cloud-api/>)

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// The stacks of an organisation: `GET /orgs/{org}/instances`.
#[derive(Debug, Deserialize)]
pub(super) struct Stacks {
    pub(super) items: Vec<Stack>,
}

/// One stack: an item of the list, and `GET /instances/{slug}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Stack {
    #[serde(deserialize_with = "number")]
    pub(super) id: Option<String>,
    pub(super) slug: String,
    pub(super) url: Option<String>,
    /// `active`, `paused`, `restoring`, `deleted`.
    pub(super) status: String,
    /// `us`, `eu`, `prod-eu-west-2`.
    pub(super) region_slug: Option<String>,
    /// `prod-us-central-0`: what people call a region as well.
    pub(super) cluster_slug: Option<String>,
    #[serde(deserialize_with = "number")]
    pub(super) hm_instance_prom_id: Option<String>,
    pub(super) hm_instance_prom_url: Option<String>,
    #[serde(deserialize_with = "number")]
    pub(super) hl_instance_id: Option<String>,
    pub(super) hl_instance_url: Option<String>,
}

impl Stack {
    /// Whether it is in a region, by either of its names.
    pub(super) fn is_in(&self, region: &str) -> bool {
        [&self.region_slug, &self.cluster_slug].into_iter().flatten().any(|own| own.eq_ignore_ascii_case(region))
    }

    /// `shop (eu)`.
    pub(super) fn named(&self) -> String {
        let Self { slug, region_slug, .. } = self;
        region_slug.as_ref().map_or_else(|| slug.clone(), |region| format!("{slug} ({region})"))
    }
}

/// How a stack is reached: `GET /v1/stacks/{slug}/connections`, and `GET /instances/{slug}/connections` of the older API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Connections {
    pub(super) tenants: Vec<Tenant>,
    otlp: Option<Otlp>,
    /// Of the older API.
    otlp_http_url: Option<String>,
}

impl Connections {
    /// The base of OTLP.
    pub(super) fn otlp_url(&self) -> Option<&str> {
        self.otlp.as_ref().and_then(|otlp| otlp.url.as_deref()).or(self.otlp_http_url.as_deref())
    }
}

/// A receiver of a stack.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tenant {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(deserialize_with = "number")]
    pub(super) id: Option<String>,
    pub(super) url: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Otlp {
    url: Option<String>,
}

/// The regions that there are: `GET /stack-regions`.
#[derive(Debug, Deserialize)]
pub(super) struct Regions {
    pub(super) items: Vec<Region>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub(super) struct Region {
    pub(super) slug: String,
}

/// Ids are numbers, and 0 where there is none; text is taken as well.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_f64().filter(|it| it.fract() == 0.0).map(|it| it as u64));
            whole.filter(|id| *id > 0).map(|id| id.to_string())
        }
        Value::String(text) => {
            Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_numbers_and_as_text() {
        for (json, expected) in [
            ("715391", Some("715391")),
            ("715391.0", Some("715391")),
            ("\"7\"", Some("7")),
            ("0", None),
            ("null", None),
            ("\"x:y\"", None),
        ] {
            let stack: Stack = serde_json::from_str(&format!(r#"{{"hmInstancePromId": {json}}}"#)).unwrap();
            assert_eq!(stack.hm_instance_prom_id.as_deref(), expected, "{json}");
        }
    }
}
