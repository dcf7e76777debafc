//! Finds out where a signal goes: from an organisation and region, or a stack, to an endpoint and its user.
//!
//! With a stack's slug its connections are asked for, and where they do not say enough the stack itself; else the
//! organisation's stacks, of which one must be left. OTLP's endpoint is in the connections alone. Nothing is guessed from
//! a region's name, and what an answer names is only used where the token may go to it.

mod api;
mod directory;
mod stack;

use metricast_sdk::{Deadline, PublishError};

use crate::address::Address;
use crate::options::{Options, Protocol, Signal};
use crate::place::{self, Question, Target};

use api::Api;
pub(crate) use directory::{Directory, Remembered, authorization};
use stack::{Connections, Stack};

/// Asks the API where the signal goes.
///
/// # Errors
/// `misconfigured` and `unauthorized` say which keys would be right; `unavailable` where the API, or the stack, is away.
pub(crate) fn find(options: &Options, question: &Question, deadline: Deadline) -> Result<Target, PublishError> {
    let api = Api { options, deadline };
    let (found, of) = match &question.stack {
        Some(slug) => by_stack(&api, slug, question.region.as_deref())?,
        None => by_organisation(&api, question)?,
    };
    let Some(Found { url, user }) = found else {
        let (keys, tile) = (place::keys(options.signal), place::tile(options.signal, options.protocol));
        let other = match (options.signal, options.protocol) {
            (Signal::Metrics, Protocol::Otlp) => ", or use protocol = \"remote-write\"",
            _ => "",
        };
        return Err(PublishError::Misconfigured(format!(
            "Grafana Cloud does not say where the stack {of} takes {}: write {keys}, which are {tile}{other}",
            what(options),
        )));
    };
    target(options, &url, user)
}

/// An address and user as the API named them.
struct Found {
    url: String,
    user: String,
}

fn what(options: &Options) -> &'static str {
    match (options.signal, options.protocol) {
        (Signal::Logs, _) => "logs",
        (Signal::Metrics, Protocol::RemoteWrite) => "metrics",
        (Signal::Metrics, Protocol::Otlp) => "OTLP",
    }
}

fn target(options: &Options, named: &str, user: String) -> Result<Target, PublishError> {
    let Options { api, api_is_written, signal, protocol, .. } = options;
    let refused = |why: &str| {
        let keys = place::keys(*signal);
        PublishError::Misconfigured(format!(
            "the API at {api} says that {} go to {named}, {why}. If that is right, write {keys}",
            what(options)
        ))
    };
    let address = Address::parse(named).map_err(|what| refused(&format!("which {what}")))?;
    if !address.may_have_the_token(api, *api_is_written) {
        return Err(refused("and the token goes only to https hosts under grafana.net"));
    }
    let url = place::push_url(&address, *signal, *protocol).map_err(|what| refused(&format!("which {what}")))?;
    Ok(Target { url, user: Some(user) })
}

fn by_stack(api: &Api<'_>, slug: &str, region: Option<&str>) -> Result<(Option<Found>, String), PublishError> {
    let options = api.options;
    let connections = api.connections(slug)?.unwrap_or_default();
    // The region and OTLP's user are told by the stack alone.
    if region.is_none()
        && let Some(found) = tenant(&connections, options)
    {
        return Ok((Some(found), slug.to_owned()));
    }
    let stack = api.stack(slug)?;
    if let Some(region) = region.filter(|region| !stack.is_in(region)) {
        let what =
            format_args!("the stack {} is not in {region}: write its region, or leave the key out", stack.named());
        return Err(PublishError::misconfigured("region", what));
    }
    is_awake(&stack)?;
    let found = match (options.signal, options.protocol) {
        (Signal::Metrics, Protocol::Otlp) => otlp(&connections, &stack),
        _ => receiver(&stack, options.signal).or_else(|| tenant(&connections, options)),
    };
    Ok((found, slug.to_owned()))
}

fn by_organisation(api: &Api<'_>, question: &Question) -> Result<(Option<Found>, String), PublishError> {
    let org = question.org.as_deref().unwrap_or_default();
    let region = question.region.as_deref();
    let stack = choose(api, org, region, api.stacks(org)?)?;
    is_awake(&stack)?;
    let found = match (api.options.signal, api.options.protocol) {
        (Signal::Metrics, Protocol::Otlp) => otlp(&api.connections(&stack.slug)?.unwrap_or_default(), &stack),
        (signal, _) => receiver(&stack, signal),
    };
    Ok((found, stack.slug))
}

/// The one stack that is meant.
fn choose(api: &Api<'_>, org: &str, region: Option<&str>, stacks: Vec<Stack>) -> Result<Stack, PublishError> {
    let stacks: Vec<Stack> = stacks.into_iter().filter(|stack| stack.status != "deleted").collect();
    if stacks.is_empty() {
        let what = format_args!(
            "the organisation {org} has no stack that the token may see: make one at grafana.com, or let \
                                 the token's access policy have it in its realm"
        );
        return Err(PublishError::misconfigured("org_slug", what));
    }
    let fits = |stack: &&Stack| region.is_none_or(|region| stack.is_in(region));
    let fitting: Vec<&Stack> = stacks.iter().filter(fits).collect();
    match (fitting.as_slice(), region) {
        ([stack], _) => Ok((*stack).clone()),
        ([], Some(region)) => Err(nowhere(api, org, region, &stacks)),
        (several, _) => {
            let what = format_args!(
                "is missing, and the organisation {org} has several stacks: {}",
                names(several.iter().copied())
            );
            Err(PublishError::misconfigured("stack_slug", what))
        }
    }
}

fn nowhere(api: &Api<'_>, org: &str, region: &str, stacks: &[Stack]) -> PublishError {
    let has = format!("the organisation {org} has no stack in {region}: it has {}", names(stacks.iter()));
    let regions = api.regions();
    let known = regions.iter().any(|known| known.eq_ignore_ascii_case(region));
    if regions.is_empty() || known {
        return PublishError::misconfigured("region", has);
    }
    PublishError::misconfigured(
        "region",
        format_args!("there is no region {region}, there are {}; {has}", regions.join(", ")),
    )
}

fn names<'a>(stacks: impl Iterator<Item = &'a Stack>) -> String {
    stacks.map(Stack::named).collect::<Vec<_>>().join(", ")
}

/// A paused stack takes nothing, until somebody looks at it.
fn is_awake(stack: &Stack) -> Result<(), PublishError> {
    let Stack { slug, status, url, .. } = stack;
    match status.as_str() {
        "" | "active" => Ok(()),
        "paused" => {
            let page = url.clone().unwrap_or_else(|| format!("https://{slug}.grafana.net"));
            let reason = format!(
                "the stack {slug} is paused, as free ones are after a time without a visitor: open {page} to wake it"
            );
            Err(PublishError::unavailable(reason))
        }
        status => Err(PublishError::unavailable(format!("the stack {slug} is {status}, and takes nothing as it is"))),
    }
}

/// The receiver of a signal, as the stack itself says.
fn receiver(stack: &Stack, signal: Signal) -> Option<Found> {
    let (url, user) = match signal {
        Signal::Metrics => (&stack.hm_instance_prom_url, &stack.hm_instance_prom_id),
        Signal::Logs => (&stack.hl_instance_url, &stack.hl_instance_id),
    };
    found(url.as_deref(), user.as_deref())
}

/// The receiver of a signal, as the stack's connections say. OTLP's user is not in them.
fn tenant(connections: &Connections, options: &Options) -> Option<Found> {
    let kind = match (options.signal, options.protocol) {
        (Signal::Metrics, Protocol::Otlp) => return None,
        (Signal::Metrics, Protocol::RemoteWrite) => "prometheus",
        (Signal::Logs, _) => "logs",
    };
    let mut of_kind = connections.tenants.iter().filter(|tenant| tenant.kind == kind);
    of_kind.find_map(|tenant| found(tenant.url.as_deref(), tenant.id.as_deref()))
}

/// The gateway of OTLP: its user is the stack.
fn otlp(connections: &Connections, stack: &Stack) -> Option<Found> {
    found(connections.otlp_url(), stack.id.as_deref())
}

fn found(url: Option<&str>, user: Option<&str>) -> Option<Found> {
    let url = url.filter(|url| !url.is_empty())?;
    Some(Found { url: url.to_owned(), user: user?.to_owned() })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
