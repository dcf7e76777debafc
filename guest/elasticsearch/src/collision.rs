//! Whether another template would shape our indices.
//!
//! Of all templates that take a name the server applies the one with the highest priority, and it alone. One of the
//! same priority is refused when it is put; one of a higher priority is not.

use metricast_sdk::{Deadline, PublishError};
use serde::Deserialize;
use serde_json::Value;

use crate::client::{Ask, Client};
use crate::layout::Layout;
use crate::template::MANAGED_BY;

/// Lets the server work out what each name would become. Where it cannot be asked, nothing is said.
pub(crate) fn check(client: &mut Client, layout: &Layout, deadline: Deadline) -> Result<(), PublishError> {
    for name in layout.samples() {
        let path = format!("/_index_template/_simulate_index/{name}");
        let response = client.send(&Ask::post(&path, b""), deadline)?;
        let over = match response.status {
            200..300 if is_ours(&response.body, layout) => None,
            200..300 => Some(winner(client, &name, deadline)?),
            // OpenSearch answers 500 where the stream is there already, and says its template instead.
            _ => of_stream(client, layout, &name, deadline)?,
        };
        if let Some(over) = over {
            let what = format_args!(
                "the index template {over:?} takes {name} before ours, {:?}: lower its priority or narrow its patterns",
                layout.template()
            );
            return Err(PublishError::misconfigured(layout.key(), what));
        }
    }
    Ok(())
}

/// The template in force of a stream that is there, where it is not ours.
fn of_stream(
    client: &mut Client,
    layout: &Layout,
    stream: &str,
    deadline: Deadline,
) -> Result<Option<String>, PublishError> {
    let response = client.send(&Ask::get(&format!("/_data_stream/{stream}")), deadline)?;
    let body: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    let template = body.pointer("/data_streams/0/template").and_then(Value::as_str);
    Ok(template.filter(|template| !template.is_empty() && *template != layout.template()).map(str::to_owned))
}

/// Whether ours was applied: not one of those that were passed over, and its mark is in the mappings unless a person has
/// taken it out.
fn is_ours(body: &[u8], layout: &Layout) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let is_marked = body.pointer("/template/mappings/_meta/managed_by").is_some_and(|by| by == MANAGED_BY);
    let ours = layout.template();
    let mut passed_over = body["overlapping"].as_array().into_iter().flatten();
    is_marked || !passed_over.any(|other| other["name"] == ours.as_str())
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Templates {
    index_templates: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    index_template: Taking,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Taking {
    index_patterns: Vec<String>,
    priority: u64,
}

/// The template of the highest priority that takes a name.
fn winner(client: &mut Client, name: &str, deadline: Deadline) -> Result<String, PublishError> {
    let path = "/_index_template?filter_path=index_templates.name,index_templates.index_template.index_patterns,\
                index_templates.index_template.priority";
    let response = client.send(&Ask::get(path), deadline)?;
    let Templates { index_templates } = serde_json::from_slice(&response.body).unwrap_or_default();
    let takes = |taking: &Taking| taking.index_patterns.iter().any(|pattern| fits(pattern, name));
    let taking = index_templates.into_iter().filter(|named| takes(&named.index_template));
    let highest = taking.max_by_key(|named| named.index_template.priority);
    Ok(highest.map_or_else(|| "another one".to_owned(), |named| named.name))
}

/// Whether a name fits a pattern, in which `*` is any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_take_names_as_the_servers_have_it() {
        for (pattern, name, expected) in [
            ("shop-event", "shop-event", true),
            ("shop-event", "shop-events", false),
            ("shop-*", "shop-event", true),
            ("*", "shop-event", true),
            ("*-event", "shop-event", true),
            ("s*-e*t", "shop-event", true),
            ("s*x*t", "shop-event", false),
            ("shop-event*event", "shop-event", false),
            ("logs-*-*", "logs-shop.event-prod", true),
            ("logs-*-*", "logs-shop", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
