//! The index template: which names it takes, and how the fields of a document are indexed.

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::layout::Layout;

/// Above every template of Elasticsearch's own.
const PRIORITY: u32 = 501;
/// Longer keywords are kept and not indexed: Lucene takes no term of more than 32,766 bytes.
const IGNORE_ABOVE: u32 = 1024;

/// The body of the template.
pub(crate) fn body(layout: &Layout, engine: Engine) -> Value {
    let mut template = json!({
        "index_patterns": layout.patterns(),
        "priority": PRIORITY,
        "_meta": { "managed_by": "metricast" },
        "template": {
            // One node alone holds no replica and is not for ever yellow.
            "settings": { "index.auto_expand_replicas": "0-1" },
            "mappings": mappings(layout, engine),
        },
    });
    if !layout.daily {
        template["data_stream"] = json!({});
    }
    template
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
        "service": fields(&json!({ "name": keyword() })),
        "host": fields(&json!({ "name": keyword() })),
    });
    if layout.scheme.is_some() {
        properties["data_stream"] = fields(&json!({ "type": keyword(), "dataset": keyword(), "namespace": keyword() }));
    }
    json!({ "_meta": { "managed_by": "metricast" }, "dynamic": false, "properties": properties })
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
