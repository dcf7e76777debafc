//! Components for tests, from a few lines of WebAssembly text each: a publisher that does what it should, with one
//! thing changed.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The bodies of a publisher's functions. Each returns the address of an answer in [`DATA`], which a body may change.
///
/// `publish` gets the address of its parameters; the number of records stands at offset 192 of it (the length of the
/// list `offsets`: the handle, text, ends, 8 + 9 + 3 columns and epoch stand before).
pub(super) struct Guest {
    pub(super) describe: &'static str,
    pub(super) check: &'static str,
    pub(super) probe: &'static str,
    pub(super) snippets: &'static str,
    pub(super) open: &'static str,
    pub(super) publish: &'static str,
    pub(super) flush: &'static str,
    pub(super) snapshot: &'static str,
    pub(super) scrape: &'static str,
    pub(super) start: &'static str,
    /// Written over [`DATA`]: address and bytes.
    pub(super) data: &'static [(u32, &'static str)],
    pub(super) table: u32,
}

/// `accepted` becomes the number of records.
const ACCEPT_ALL: &str =
    "(i32.store (i32.const 0x408) (i32.load offset=192 (local.get $parameters))) (i32.const 0x400)";

impl Default for Guest {
    fn default() -> Self {
        Self {
            describe: "(i32.const 0x100)",
            check: "(i32.const 0x200)",
            probe: "(i32.const 0x200)",
            snippets: "(i32.const 0x200)",
            open: KEEP_STATE,
            publish: ACCEPT_ALL,
            flush: "(i32.const 0x500)",
            snapshot: "(i32.const 0x600)",
            scrape: "(i32.const 0x680)",
            start: "",
            data: &[],
            table: 0,
        }
    }
}

/// What `open` is given is what `snapshot` gives.
const KEEP_STATE: &str = "
    (i32.store (i32.const 0x600) (local.get $has_state))
    (i32.store (i32.const 0x608) (local.get $version))
    (i32.store (i32.const 0x60c) (local.get $state))
    (i32.store (i32.const 0x610) (local.get $state_length))
    (i64.store (i32.const 0x618) (local.get $next_offset))
    (i32.store (i32.const 0x308) (call $new (i32.const 1)))
    (i32.const 0x300)";

/// The answers as the canonical ABI lays them out.
///
/// ```text
/// 0x100 description   0x200 check          0x300 open: case, handle at 0x308     0x380 profile
/// 0x400 receipt: case, at 0x408 accepted, rejected, retryable, in-doubt, retry-after-ms
/// 0x500 flushed       0x600 snapshot: case, at 0x608 version, state, next-offset
/// 0x680 exposition    0x800 texts
/// ```
const DATA: &[(u32, &str)] = &[
    (0x100, r"\00\08\00\00\04\00\00\00"),
    (0x108, r"\10\08\00\00\05\00\00\00"),
    (0x110, r"\20\08\00\00\02\00\00\00"),
    (0x380, r"\00\00\00\00\01\00\00\00\00\00\00\00\00\00\00\00\01"),
    (0x508, r"\07\00\00\00\00\00\00\00"),
    (0x680, r"\01\00\00\00\30\08\00\00\0a\00\00\00\40\08\00\00\03\00\00\00"),
    (0x800, "test"),
    (0x810, "1.2.3"),
    (0x820, "{}"),
    (0x830, "text/plain"),
    (0x840, "a 1"),
];

impl Guest {
    pub(super) fn component(&self) -> Vec<u8> {
        let mut module = wat::parse_str(self.module()).unwrap();
        let mut resolve = Resolve::default();
        resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit")).unwrap();
        let world = "package metricast:test; world plugin { export metricast:publisher/publisher@0.1.0; }";
        let package = resolve.push_str("test.wit", world).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
    }

    fn module(&self) -> String {
        let Self { describe, check, probe, snippets, open, publish, flush, snapshot, scrape, start, table, .. } = self;
        let data = DATA.iter().chain(self.data);
        let data: Vec<_> = data.map(|(address, bytes)| format!("(data (i32.const {address}) \"{bytes}\")")).collect();
        let data = data.join("\n");
        let interface = crate::bindings::EXPORT;
        let method = |name: &str| format!("(export \"{interface}#[method]publisher.{name}\")");
        let [profile, publish_batch, publish_event, publish_network] =
            ["profile", "publish-batch", "publish-event-metrics", "publish-network-metrics"].map(method);
        let [flush_name, close, snapshot_name, scrape_name] = ["flush", "close", "snapshot", "scrape"].map(method);
        format!(
            r#"(module
                (import "[export]{interface}" "[resource-new]publisher" (func $new (param i32) (result i32)))
                (memory (export "memory") 1)
                (table $table {table} funcref)
                (global $free (mut i32) (i32.const 0x1000))
                {data}
                (func $recurse (result i32) (i32.add (call $recurse) (i32.const 1)))
                (func $start {start})
                (start $start)
                (func (export "cabi_realloc") (param $old i32) (param i32) (param $align i32) (param $size i32)
                    (result i32) (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                    (global.set $free (i32.add (local.get $at) (local.get $size)))
                    (block $fits (loop $grow
                        (br_if $fits (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
                        (drop (memory.grow (i32.const 1)))
                        (br $grow)))
                    (local.get $at))
                (func (export "{interface}#describe") (result i32) {describe})
                (func (export "{interface}#format-metrics") (param i32) (result i32) (unreachable))
                (func (export "{interface}#check") (param $config i32) (param $length i32) (result i32) {check})
                (func (export "{interface}#probe") (param $config i32) (param $length i32) (result i32) {probe})
                (func (export "{interface}#snippets") (param $config i32) (param $length i32) (result i32) {snippets})
                (func (export "{interface}#[static]publisher.open")
                    (param $config i32) (param $length i32) (param $has_state i32) (param $version i32)
                    (param $state i32) (param $state_length i32) (param $next_offset i64) (result i32)
                    {open})
                (func {profile} (param i32) (result i32) (i32.const 0x380))
                (func {publish_batch} (param $parameters i32) (result i32) {publish})
                (func {publish_event} (param i32) (result i32)
                    (i32.store (i32.const 0x408) (i32.const 1)) (i32.const 0x400))
                (func {publish_network} (param i32) (result i32)
                    (i32.store (i32.const 0x408) (i32.const 1)) (i32.const 0x400))
                (func {flush_name} (param i32) (result i32) {flush})
                (func {close} (param i32) (result i32) (i32.const 0x500))
                (func {snapshot_name} (param i32) (result i32) {snapshot})
                (func {scrape_name} (param i32) (param $accept i32) (param $length i32) (result i32) {scrape})
            )"#
        )
    }
}
