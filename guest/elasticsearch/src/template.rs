//! The index template: which names it takes, and how the fields of a document are indexed.

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::layout::Layout;
use crate::options::Options;

/// Above every template of Elasticsearch's own.
const PRIORITY: u32 = 501;
/// Longer keywords are kept and not indexed: Lucene takes no term of more than 32,766 bytes.
pub(crate) const IGNORE_ABOVE: usize = 1024;

/// Of what this program puts, whatever the config. A greater one is of a newer metricast.
const VERSION: u64 = 1;

/// The template, as it is to be.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) name: String,
    pub(crate) body: Value,
}

/// How the template that is there stands to the one that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Same,
    /// Ours, and these parts were changed since.
    Edited(Vec<&'static str>),
    /// Ours, of an older metricast or another config.
    Outdated,
    /// Of a newer metricast.
    Newer,
    /// Not one of metricast's.
    Foreign,
}

impl Template {
    pub(crate) fn new(options: &Options, engine: Engine) -> Self {
        let layout = &options.layout;
        let mut template = json!({
            "index_patterns": layout.patterns(),
            "priority": PRIORITY,
            "template": { "mappings": mappings(layout, engine) },
        });
        if engine.has_replicas() {
            // One node alone holds no replica and is not for ever yellow.
            template["template"]["settings"] = json!({ "index": { "auto_expand_replicas": "0-1" } });
        }
        if !layout.daily {
            template["data_stream"] = json!({});
        }
        if let Some(retention) = options.retention.as_ref().filter(|_| engine.has_lifecycle() && !layout.daily) {
            template["template"]["lifecycle"] = json!({ "data_retention": retention.as_str() });
        }
        let digest = format!("{:016x}", digest(template.to_string().as_bytes()));
        template["_meta"] = json!({ "managed_by": MANAGED_BY, "version": VERSION, "digest": digest });
        Self { name: layout.template(), body: template }
    }

    /// Compares with a template as the server gives it.
    pub(crate) fn against(&self, there: &Value) -> Standing {
        let meta = &there["_meta"];
        if meta["managed_by"] != MANAGED_BY {
            Standing::Foreign
        } else if meta["version"].as_u64() > Some(VERSION) {
            Standing::Newer
        } else if meta["digest"] != self.body["_meta"]["digest"] {
            Standing::Outdated
        } else {
            match self.differences(there) {
                none if none.is_empty() => Standing::Same,
                parts => Standing::Edited(parts),
            }
        }
    }

    /// What a server changes by itself (defaults that it adds) is not looked at.
    fn differences(&self, there: &Value) -> Vec<&'static str> {
        let parts = [
            ("patterns", "/index_patterns"),
            ("mappings", "/template/mappings"),
            ("settings", "/template/settings"),
            ("retention", "/template/lifecycle/data_retention"),
        ];
        let differs = |(_, path): &(&str, &str)| self.body.pointer(path) != there.pointer(path);
        let mut parts: Vec<&str> = parts.into_iter().filter(differs).map(|(name, _)| name).collect();
        if self.body["priority"] != there["priority"] {
            parts.push("priority");
        }
        parts
    }
}

/// Stands in the template, and in the mappings of each index that it shaped.
pub(crate) const MANAGED_BY: &str = "metricast";

/// FNV-1a: it tells configs apart, and is the same in each version of the program.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn mappings(layout: &Layout, engine: Engine) -> Value {
    let mut properties = json!({
        "@timestamp": time(),
        "ecs": fields(&json!({ "version": keyword() })),
        "event": fields(&json!({
            "action": keyword(), "kind": keyword(), "outcome": keyword(),
            "start": time(), "end": time(), "duration": long(),
        })),
        "metricast": fields(&json!({
            "task_id": keyword(), "status": keyword(), "retry_count": long(), "attributes": attributes(engine),
        })),
        "process": fields(&json!({ "pid": long() })),
        "error": fields(&json!({ "message": { "type": "text", "norms": false, "fields": { "keyword": keyword() } } })),
        "source": fields(&json!({ "bytes": bytes() })),
        "destination": fields(&json!({
            "address": keyword(), "ip": { "type": "ip" }, "port": long(), "bytes": bytes(),
        })),
        "service": fields(&json!({
            "name": keyword(), "namespace": keyword(), "environment": keyword(), "node": fields(&json!({ "name": keyword() })),
        })),
        "labels": { "type": "object", "dynamic": true },
        "host": fields(&json!({ "name": keyword() })),
    });
    if layout.scheme.is_some() {
        properties["data_stream"] = fields(&json!({ "type": keyword(), "dataset": keyword(), "namespace": keyword() }));
    }
    // A label that the config names later is indexed without a new template.
    let labels = json!({ "labels": { "path_match": "labels.*", "mapping": keyword() } });
    json!({
        "_meta": { "managed_by": MANAGED_BY }, "dynamic": false, "dynamic_templates": [labels], "properties": properties,
    })
}

fn fields(properties: &Value) -> Value {
    json!({ "properties": properties })
}

fn keyword() -> Value {
    json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE })
}

fn time() -> Value {
    json!({ "type": "date_nanos" })
}

fn long() -> Value {
    json!({ "type": "long" })
}

/// A count of bytes may have 64 bits and a `long` has 63: what is greater is kept and not indexed.
fn bytes() -> Value {
    json!({ "type": "long", "ignore_malformed": true })
}

/// Any keys and values. OpenSearch's `flat_object` refuses documents with values over 32 kB: there they are kept and
/// not indexed.
fn attributes(engine: Engine) -> Value {
    if engine.has_flattened() {
        json!({ "type": "flattened", "ignore_above": IGNORE_ABOVE })
    } else {
        json!({ "type": "object", "enabled": false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(more: &Value, engine: Engine) -> Template {
        let mut config = json!({ "hosts": ["http://search:9200"], "index_prefix": "shop" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let config = serde_json::from_value(config).unwrap();
        Template::new(&Options::try_from(&config).unwrap(), engine)
    }

    const NEW: Engine = Engine::Elasticsearch(8, 19);

    #[test]
    fn a_template_that_is_there_is_known_for_what_it_is() {
        let ours = template(&json!({}), NEW);
        let mut there = ours.body.clone();
        there["composed_of"] = json!([]);
        there["data_stream"] = json!({ "hidden": false });
        assert_eq!(ours.against(&there), Standing::Same);
        let mut edited = there.clone();
        edited["priority"] = json!(700);
        edited["template"]["settings"]["index"]["number_of_shards"] = json!("3");
        assert_eq!(ours.against(&edited), Standing::Edited(vec!["settings", "priority"]));
        let mut newer = there.clone();
        newer["_meta"]["version"] = json!(VERSION + 1);
        assert_eq!(ours.against(&newer), Standing::Newer);
        there["_meta"] = json!({ "managed_by": "someone" });
        assert_eq!(ours.against(&there), Standing::Foreign);
        let kept = template(&json!({ "retention": "30d" }), NEW);
        assert_eq!(ours.against(&kept.body), Standing::Outdated);
    }

    #[test]
    fn retention_stands_where_the_server_knows_a_lifecycle() {
        let retention =
            |more: Value, engine| template(&more, engine).body.pointer("/template/lifecycle/data_retention").cloned();
        assert_eq!(retention(json!({ "retention": "30d" }), NEW), Some(json!("30d")));
        assert_eq!(retention(json!({}), NEW), None);
        assert_eq!(retention(json!({ "retention": "30d" }), Engine::OpenSearch), None);
        assert_eq!(retention(json!({ "retention": "30d", "indices": "daily" }), NEW), None);
    }

    #[test]
    fn what_a_server_has_no_word_for_is_left_out() {
        let attributes = "/template/mappings/properties/metricast/properties/attributes/type";
        assert_eq!(template(&json!({}), NEW).body.pointer(attributes), Some(&json!("flattened")));
        assert_eq!(template(&json!({}), Engine::OpenSearch).body.pointer(attributes), Some(&json!("object")));
        assert!(template(&json!({}), Engine::Serverless).body.pointer("/template/settings").is_none());
        assert!(template(&json!({ "indices": "daily" }), NEW).body.get("data_stream").is_none());
    }
}
