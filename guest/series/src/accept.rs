//! Which format an `Accept` header gets.
//!
//! Each of our formats takes the weight of the header's range that names it most closely (RFC 9110, 12.5.1); the
//! greatest weight wins, and between equals the first of [`Format::ALL`]. A header that is empty or that wants nothing
//! we have gets the text format 0.0.4, the last resort of Prometheus' own rules: a scrape is never refused.
//!
//! `escaping` says how names beyond letters, digits and `_` are written. Ours never need it, so whichever known scheme
//! is asked for holds; an answer of a version 1.0.0 names it.

use mediatype::{MediaType, MediaTypeList, Name, ReadParams, Value, names};

use crate::registry::Registry;
use crate::{open_metrics, protobuf, text};

/// A format and version that an exposition can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Text004,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics100,
    /// `text/plain; version=1.0.0`
    Text100,
    /// `application/openmetrics-text; version=0.0.1`
    OpenMetrics001,
    /// `application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited`
    Protobuf,
}

/// How names that the old formats cannot have are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    AllowUtf8,
    Underscores,
    Dots,
    Values,
}

/// What a scrape is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Negotiated {
    format: Format,
    escaping: Escaping,
}

impl Negotiated {
    /// The format.
    pub fn format(self) -> Format {
        self.format
    }

    /// The whole `Content-Type`.
    pub fn content_type(self) -> String {
        let Names { kind, subtype, parameters } = self.format.names();
        let parameters: String =
            parameters.iter().map(|(name, value)| ["; ", name.as_str(), "=", value].concat()).collect();
        let charset = if self.format == Format::Protobuf { "" } else { "; charset=utf-8" };
        let escaping = match self.format {
            Format::Text004 | Format::OpenMetrics001 => String::new(),
            Format::Text100 | Format::OpenMetrics100 | Format::Protobuf => {
                format!("; escaping={}", self.escaping.name())
            }
        };
        format!("{kind}/{subtype}{parameters}{charset}{escaping}")
    }

    /// Appends the exposition of `registry` at the time `now`, seconds since the Unix epoch, to `out`.
    pub fn encode(self, registry: &Registry, now: f64, out: &mut Vec<u8>) {
        match self.format {
            Format::Text004 | Format::Text100 => text::encode(registry, now, out),
            Format::OpenMetrics100 | Format::OpenMetrics001 => open_metrics::encode(registry, now, out),
            Format::Protobuf => protobuf::encode(registry, now, out),
        }
    }
}

/// Chooses what the `Accept` header asks for.
pub fn negotiate(accept: &str) -> Negotiated {
    let mut best = (0.0, Negotiated { format: Format::Text004, escaping: Escaping::Underscores });
    for format in Format::ALL {
        let closest =
            MediaTypeList::new(accept).flatten().filter_map(|range| Offer::of(format, &range)).max_by(Offer::cmp);
        if let Some(offer) = closest
            && offer.weight > best.0
        {
            best = (offer.weight, Negotiated { format, escaping: offer.escaping });
        }
    }
    best.1
}

/// What one range of the header says of one format.
struct Offer {
    /// How closely the range names the format.
    closeness: u8,
    weight: f32,
    escaping: Escaping,
}

impl Offer {
    fn of(format: Format, range: &MediaType<'_>) -> Option<Self> {
        Some(Self {
            closeness: format.closeness(range)?,
            weight: weight(range),
            escaping: range.get_param(ESCAPING).and_then(Escaping::parse).unwrap_or(Escaping::Underscores),
        })
    }

    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.closeness.cmp(&other.closeness).then(self.weight.total_cmp(&other.weight))
    }
}

const ANY: Name<'static> = Name::new_unchecked("*");
const OPEN_METRICS: Name<'static> = Name::new_unchecked("openmetrics-text");
const PROTOBUF: Name<'static> = Name::new_unchecked("vnd.google.protobuf");
const VERSION: Name<'static> = Name::new_unchecked("version");
const ESCAPING: Name<'static> = Name::new_unchecked("escaping");

/// The parameters that tell protobuf messages apart.
const PROTOBUF_PARAMETERS: &[Parameter] = &[
    (Name::new_unchecked("proto"), "io.prometheus.client.MetricFamily"),
    (Name::new_unchecked("encoding"), "delimited"),
];

type Parameter = (Name<'static>, &'static str);

/// What a format is called.
struct Names {
    kind: Name<'static>,
    subtype: Name<'static>,
    parameters: &'static [Parameter],
}

impl Format {
    /// Every format, the one preferred among equals first.
    pub const ALL: [Self; 5] =
        [Self::Text004, Self::OpenMetrics100, Self::Text100, Self::OpenMetrics001, Self::Protobuf];

    fn names(self) -> Names {
        let (kind, subtype, parameters): (_, _, &[Parameter]) = match self {
            Self::Text004 => (names::TEXT, names::PLAIN, &[(VERSION, "0.0.4")]),
            Self::Text100 => (names::TEXT, names::PLAIN, &[(VERSION, "1.0.0")]),
            Self::OpenMetrics100 => (names::APPLICATION, OPEN_METRICS, &[(VERSION, "1.0.0")]),
            Self::OpenMetrics001 => (names::APPLICATION, OPEN_METRICS, &[(VERSION, "0.0.1")]),
            Self::Protobuf => (names::APPLICATION, PROTOBUF, PROTOBUF_PARAMETERS),
        };
        Names { kind, subtype, parameters }
    }

    /// How closely `range` names this format; none where it names another.
    fn closeness(self, range: &MediaType<'_>) -> Option<u8> {
        let Names { kind, subtype, parameters } = self.names();
        if range.ty == ANY && range.subty == ANY {
            return Some(0);
        }
        if range.ty != kind {
            return None;
        }
        if range.subty == ANY {
            return Some(1);
        }
        if range.subty != subtype || range.suffix.is_some() {
            return None;
        }
        parameters.iter().try_fold(2, |closeness, (name, value)| match range.get_param(*name) {
            None => Some(closeness),
            Some(asked) if asked.unquoted_str().eq_ignore_ascii_case(value) => Some(closeness + 1),
            Some(_) => None,
        })
    }
}

impl Escaping {
    fn parse(value: Value<'_>) -> Option<Self> {
        match value.unquoted_str().as_ref() {
            "allow-utf-8" | "allow-utf8" => Some(Self::AllowUtf8),
            "underscores" => Some(Self::Underscores),
            "dots" => Some(Self::Dots),
            "values" => Some(Self::Values),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::AllowUtf8 => "allow-utf-8",
            Self::Underscores => "underscores",
            Self::Dots => "dots",
            Self::Values => "values",
        }
    }
}

/// The `q` of a range; one that is no number is as if it were not there.
fn weight(range: &MediaType<'_>) -> f32 {
    let given = range.get_param(names::Q).and_then(|q| q.unquoted_str().parse::<f32>().ok());
    given.filter(|q| q.is_finite()).map_or(1.0, |q| q.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TEXT_004: &str = "text/plain; version=0.0.4; charset=utf-8";
    const TEXT_100: &str = "text/plain; version=1.0.0; charset=utf-8; escaping=underscores";
    const OPEN_METRICS_001: &str = "application/openmetrics-text; version=0.0.1; charset=utf-8";
    const OPEN_METRICS_ALLOW_UTF_8: &str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8";
    const PROTOBUF: &str = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; \
                            encoding=delimited; escaping=underscores";
    const OPEN_METRICS_100: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores";

    fn answers(accept: &str) -> String {
        negotiate(accept).content_type()
    }

    #[test]
    fn prometheus_2_gets_open_metrics() {
        let accept = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(answers(accept), OPEN_METRICS_100);
    }

    #[test]
    fn prometheus_3_gets_open_metrics_with_the_escaping_it_asked_for() {
        let accept = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                      application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(answers(accept), OPEN_METRICS_ALLOW_UTF_8);
    }

    #[test]
    fn prometheus_3_with_native_histograms_gets_protobuf() {
        let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                      application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(answers(accept), PROTOBUF);
        assert_eq!(answers(&accept.replace("q=0.6", "q=0.1;escaping=dots")), OPEN_METRICS_ALLOW_UTF_8);
        let escaping = accept.replace("q=0.6", "escaping=values");
        assert_eq!(answers(&escaping), PROTOBUF.replace("underscores", "values"));
    }

    #[test]
    fn what_we_do_not_have_is_passed_over() {
        let accept = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text;q=0.7,\
                      application/vnd.google.protobuf;proto=another.Message;encoding=delimited;q=0.6,\
                      application/openmetrics-text;version=2.0.0;q=0.5,text/plain;version=1.0.0;escaping=dots;q=0.4,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(answers(accept), "text/plain; version=1.0.0; charset=utf-8; escaping=dots");
    }

    #[test]
    fn each_format_can_be_asked_for_alone() {
        for (accept, expected) in [
            ("text/plain", TEXT_004),
            ("text/plain;version=0.0.4", TEXT_004),
            ("text/plain; version=1.0.0", TEXT_100),
            ("TEXT/Plain; Version=\"1.0.0\"; charset=utf-8", TEXT_100),
            ("application/openmetrics-text", OPEN_METRICS_100),
            ("application/openmetrics-text; version=0.0.1", OPEN_METRICS_001),
            ("application/openmetrics-text; version=1.0.0; escaping=\"made,up\"", OPEN_METRICS_100),
            ("application/*", OPEN_METRICS_100),
            ("application/vnd.google.protobuf", PROTOBUF),
            ("application/vnd.google.protobuf; encoding=DELIMITED", PROTOBUF),
            ("text/*;q=0.2, application/*;q=0.1", TEXT_004),
        ] {
            assert_eq!(answers(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_browser_curl_and_nonsense_get_plain_text() {
        for accept in [
            "",
            "*/*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "application/json",
            "text/plain;version=0.0.3",
            "*/*;q=0",
            ",,;=/;q=0.1,\"",
            "application/openmetrics-text+xml",
        ] {
            assert_eq!(answers(accept), TEXT_004, "{accept}");
        }
    }

    #[test]
    fn the_closest_range_gives_the_weight() {
        assert_eq!(answers("*/*, text/plain;q=0"), OPEN_METRICS_100);
        assert_eq!(answers("text/*;q=0.9, text/plain;version=0.0.4;q=0.1, */*;q=0.5"), TEXT_100);
        assert_eq!(answers("text/plain;q=0.1, application/openmetrics-text;q=0.2"), OPEN_METRICS_100);
        assert_eq!(answers("text/plain;q=0.2, application/openmetrics-text;q=0.1"), TEXT_004);
        assert_eq!(answers("text/plain;q=much, application/openmetrics-text;q=0.9"), TEXT_004);
    }

    proptest! {
        #[test]
        fn any_header_gets_an_answer(accept in "\\PC*") {
            prop_assert!(answers(&accept).contains("escaping=") || answers(&accept).contains("version="));
        }

        #[test]
        fn anything_like_a_header_gets_an_answer(accept in "([a-z*/;=,\" \\\\q.0-9é]|text/plain|version=|escaping=){0,40}") {
            prop_assert!(answers(&accept).contains("escaping=") || answers(&accept).contains("version="));
        }
    }
}
