//! The graph of components, encoded as one.
//!
//! A composite has two legs; more plugins make a tree of composites, in halves, so that a record crosses as few of them
//! as it can: the binary logarithm of their number. The code of each plugin, and that of the composite, is in the
//! result once, however often it is used.

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, NodeId, PackageId};

use super::constant::constant;
use super::error::ComposeError;
use super::fittings::fitting;
use crate::bindings::EXPORT;
use crate::plugin::is_provided;

const FIRST: &str = "metricast:publisher/first@0.1.0";
const SECOND: &str = "metricast:publisher/second@0.1.0";
const SETTINGS: &str = "metricast:publisher/settings@0.1.0";
const HANDLER: &str = "wasi:http/incoming-handler@0.2.0";

/// One component that gives its records to all of these plugins, which are components' bytes.
///
/// # Errors
/// With fewer than two, and where one does not fit.
pub fn composite(plugins: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, ComposeError> {
    if plugins.len() < 2 {
        return Err(ComposeError::TooFew);
    }
    let mut graph = Graph::default();
    let composite = graph.package(fitting("composite"))?;
    let plugins: Vec<_> = plugins.iter().map(|bytes| graph.package(bytes.as_ref())).collect::<Result<_, _>>()?;
    let whole = graph.tree(composite, &plugins)?;
    graph.export(whole, EXPORT)
}

/// One component that takes records over HTTP and gives them to a plugin, with a config in it or none.
///
/// # Errors
/// Where the plugin does not fit.
pub fn service(plugin: &[u8], config: Option<&str>) -> Result<Vec<u8>, ComposeError> {
    let mut graph = Graph::default();
    let gateway = graph.package(fitting("gateway"))?;
    let plugin = graph.package(plugin)?;
    let settings = graph.package(&constant(config)?)?;
    let arguments = [(EXPORT, graph.interface(plugin, EXPORT)?), (SETTINGS, graph.interface(settings, SETTINGS)?)];
    let handler = graph.plugged(gateway, arguments, HANDLER)?;
    graph.export(handler, HANDLER)
}

#[derive(Default)]
struct Graph {
    graph: CompositionGraph,
    packages: Vec<(Vec<u8>, PackageId)>,
}

impl Graph {
    /// A component's place in the graph; the same for the same bytes.
    fn package(&mut self, bytes: &[u8]) -> Result<PackageId, ComposeError> {
        if let Some((_, id)) = self.packages.iter().find(|(known, _)| known == bytes) {
            return Ok(*id);
        }
        let name = format!("metricast:part{}", self.packages.len());
        let package = Package::from_bytes(&name, None, bytes, self.graph.types_mut()).map_err(ComposeError::graph)?;
        let id = self.graph.register_package(package).map_err(ComposeError::graph)?;
        self.packages.push((bytes.to_vec(), id));
        Ok(id)
    }

    fn tree(&mut self, composite: PackageId, plugins: &[PackageId]) -> Result<NodeId, ComposeError> {
        if let [plugin] = plugins {
            return self.interface(*plugin, EXPORT);
        }
        let (left, right) = plugins.split_at(plugins.len().div_ceil(2));
        let arguments = [(FIRST, self.tree(composite, left)?), (SECOND, self.tree(composite, right)?)];
        self.plugged(composite, arguments, EXPORT)
    }

    /// An interface of a new instance that needs nothing but what hosts give.
    fn interface(&mut self, package: PackageId, name: &str) -> Result<NodeId, ComposeError> {
        self.plugged(package, [], name)
    }

    /// An interface of a new instance with these arguments.
    fn plugged<'a>(
        &mut self,
        package: PackageId,
        arguments: impl IntoIterator<Item = (&'a str, NodeId)>,
        interface: &str,
    ) -> Result<NodeId, ComposeError> {
        let instance = self.graph.instantiate(package);
        for (name, argument) in arguments {
            self.graph.set_instantiation_argument(instance, name, argument).map_err(ComposeError::graph)?;
        }
        self.graph.alias_instance_export(instance, interface).map_err(ComposeError::graph)
    }

    /// The whole, with this one export.
    fn export(mut self, node: NodeId, name: &str) -> Result<Vec<u8>, ComposeError> {
        self.graph.export(node, name).map_err(ComposeError::graph)?;
        let forbidden: Vec<String> =
            (self.graph.imports()).map(|(name, ..)| name.to_owned()).filter(|name| !is_provided(name)).collect();
        if !forbidden.is_empty() {
            return Err(ComposeError::ForbiddenImports(forbidden));
        }
        self.graph.encode(EncodeOptions::default()).map_err(ComposeError::graph)
    }
}
