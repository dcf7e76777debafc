//! A store with one component's instance in it: what the component finds around itself, and the bound on each call.

use std::future::Future;
use std::time::Duration;

use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Result, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::fault::{Fault, fault_of};
use super::log::Log;
use crate::bindings::{Guest, Plugin, PluginPre};
use crate::egress::{Egress, Hooks};
use crate::engine::{Engine, EngineError};
use crate::identity::Identity;
use crate::limits::{Limits, Meter};

/// Handles of host resources (streams, requests, pollables) that an instance may hold at once.
const HANDLES: usize = 10_000;
/// Bytes that one call for random bytes may ask for.
const RANDOM: u64 = 1 << 20;

/// What an instance's imports lead to.
pub(crate) struct Surroundings {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Hooks,
    table: ResourceTable,
    meter: Meter,
}

impl Surroundings {
    fn new(log: &Log, identity: Identity, egress: &Egress, limits: &Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        // What the builder is not told is empty or closed: environment, arguments, folders, sockets, standard input.
        let wasi = WasiCtx::builder()
            .stdout(log.stream())
            .stderr(log.stream())
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(RANDOM)
            .build();
        Self { wasi, http: WasiHttpCtx::new(), hooks: egress.hooks(identity), table, meter: Meter::new(limits) }
    }
}

impl WasiView for Surroundings {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Surroundings {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.hooks, table: &mut self.table, ctx: &mut self.http }
    }
}

/// All that a plugin may import.
pub(super) fn linker(engine: &Engine) -> Result<Linker<Surroundings>, EngineError> {
    let mut linker = Linker::new(engine.machine());
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    Ok(linker)
}

/// One instance and its store.
pub(super) struct Sandbox {
    store: Store<Surroundings>,
    plugin: Plugin,
    watch: Watch,
}

/// Bounds a call in time and tells what a failed one died of.
#[derive(Clone)]
pub(super) struct Watch {
    limit: Duration,
    answer: usize,
    log: Log,
}

impl Sandbox {
    /// Makes an instance; its start code runs under the same bounds as a call.
    pub(super) async fn new(
        code: &PluginPre<Surroundings>,
        identity: Identity,
        egress: &Egress,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        let log = Log::new(identity.clone());
        let mut store = Store::new(code.engine(), Surroundings::new(&log, identity, egress, limits));
        store.limiter(|surroundings| &mut surroundings.meter);
        store.set_hostcall_fuel(limits.answer);
        store.set_max_component_handles(HANDLES);
        store.epoch_deadline_async_yield_and_update(1);
        let watch = Watch { limit: limits.call_time, answer: limits.answer, log };
        store.set_epoch_deadline(1);
        let plugin = watch.bound(code.instantiate_async(&mut store)).await?;
        Ok(Self { store, plugin, watch })
    }

    /// What a call needs: its watch, the functions, the store. The store's epoch deadline is set afresh.
    pub(super) fn ready(&mut self) -> (Watch, &Guest, &mut Store<Surroundings>) {
        self.store.set_epoch_deadline(1);
        (self.watch.clone(), self.plugin.metricast_publisher_publisher(), &mut self.store)
    }
}

impl Watch {
    /// Waits for a call, host functions and their HTTP included, as long as it may take.
    pub(super) async fn bound<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T, Fault> {
        self.log.take_last();
        match tokio::time::timeout(self.limit, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(fault_of(&error, self.log.take_last(), self.answer)),
            Err(_) => Err(Fault::Timeout { after: self.limit }),
        }
    }
}
