//! The Grafana Cloud API: its paths, and what its refusals mean to who has to put them right.

use metricast_sdk::http::{Method, Response};
use metricast_sdk::{Deadline, PublishError};
use serde::de::DeserializeOwned;

use super::stack::{Connections, Region, Regions, Stack, Stacks};
use crate::cause::told;
use crate::client::Ask;
use crate::options::Options;
use crate::place;
use crate::secret;

/// Asks it.
pub(super) struct Api<'a> {
    pub(super) options: &'a Options,
    pub(super) deadline: Deadline,
}

impl Api<'_> {
    /// The stacks of an organisation.
    pub(super) fn stacks(&self, org: &str) -> Result<Vec<Stack>, PublishError> {
        let stacks: Option<Stacks> = self.get(&format!("/orgs/{org}/instances"))?;
        let missing = || {
            let what =
                format_args!("Grafana Cloud knows no organisation {org}: write it as in https://grafana.com/orgs/SLUG");
            PublishError::misconfigured("org_slug", what)
        };
        stacks.map(|stacks| stacks.items).ok_or_else(missing)
    }

    /// A stack by its slug.
    pub(super) fn stack(&self, slug: &str) -> Result<Stack, PublishError> {
        let missing = || {
            let what = format_args!("Grafana Cloud knows no stack {slug}: write it as in https://SLUG.grafana.net");
            PublishError::misconfigured("stack_slug", what)
        };
        self.get(&format!("/instances/{slug}"))?.ok_or_else(missing)
    }

    /// How a stack is reached; none where there is no such stack, or no such question.
    pub(super) fn connections(&self, slug: &str) -> Result<Option<Connections>, PublishError> {
        match self.get(&format!("/v1/stacks/{slug}/connections"))? {
            None => self.get(&format!("/instances/{slug}/connections")),
            connections => Ok(connections),
        }
    }

    /// The slugs of all regions; none where they cannot be had, since they are for an error's text only.
    pub(super) fn regions(&self) -> Vec<String> {
        let regions: Result<Option<Regions>, _> = self.get("/stack-regions");
        let slugs = |regions: Regions| regions.items.into_iter().map(|Region { slug }| slug).collect();
        regions.ok().flatten().map(slugs).unwrap_or_default()
    }

    /// The answer to a GET; none where it is 404.
    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, PublishError> {
        let url = self.options.api.join(path);
        let authorization = self.options.api_key.as_ref().map(secret::bearer);
        let ask = Ask {
            method: Method::Get,
            url: url.as_str(),
            authorization: authorization.as_ref(),
            headers: &[("accept", "application/json")],
            body: b"",
        };
        let response = ask.send(self.deadline)?;
        match response.status {
            200..300 => self.read(url.as_str(), &response).map(Some),
            404 => Ok(None),
            _ => Err(self.refusal(url.as_str(), &response)),
        }
    }

    fn read<T: DeserializeOwned>(&self, url: &str, response: &Response) -> Result<T, PublishError> {
        serde_json::from_slice(&response.body).map_err(|error| {
            let what = format!("the answer to GET {url} is not that of the Grafana Cloud API: {error}");
            if self.options.api_is_written {
                PublishError::misconfigured("api", what)
            } else {
                PublishError::unavailable(what)
            }
        })
    }

    fn refusal(&self, url: &str, response: &Response) -> PublishError {
        let Options { signal, protocol, .. } = self.options;
        let told = format!("GET {url}: {}", told(response));
        let by_hand = format!("write {}, which are {}", place::keys(*signal), place::tile(*signal, *protocol));
        let scope = place::scope(*signal);
        match response.status {
            401 => PublishError::Unauthorized(format!(
                "{told}: the token in api_key is not valid here: see that it is one of an access policy (glc_…), whole and \
                 not expired. Where it is one that may only write, {by_hand}"
            )),
            403 => PublishError::Unauthorized(format!(
                "{told}: the token may not ask where the stack is. Give its access policy the scope stacks:read beside \
                 {scope}, or {by_hand}"
            )),
            _ => PublishError::Unavailable { reason: told, retry_after_ms: response.retry_after_ms() },
        }
    }
}
