mod guest;

use std::time::{Duration, Instant};

use metricast_records::{Batch, BatchBuilder, EventMetrics, NetworkMetrics};

use super::*;
use crate::egress::Secrets;
use crate::engine::{CompileCache, EngineOptions};
use crate::grants::Grants;
use crate::limits::LimitHit;
use guest::Guest;

fn loader() -> Loader {
    let engine = Engine::new(&EngineOptions { cache: CompileCache::Off }).unwrap();
    Loader::new(&engine, &PluginRuntime::new().unwrap()).unwrap()
}

async fn load_bytes(bytes: &[u8]) -> Result<Plugin, LoadError> {
    let file = tempfile::Builder::new().suffix(".wasm").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    loader().load(&PluginSource::File(file.path().to_owned()), &quick()).await
}

async fn load(guest: Guest) -> Plugin {
    load_bytes(&guest.component()).await.unwrap()
}

fn quick() -> Limits {
    Limits::default().with_call_time(Duration::from_millis(300)).unwrap()
}

fn options() -> OpenOptions {
    OpenOptions::new("test", "{}", Grants::default(), Secrets::default(), quick())
}

async fn open(guest: Guest) -> Result<Instance, CallError> {
    load(guest).await.open(options()).await
}

fn batch(records: usize) -> Arc<Batch> {
    let mut builder = BatchBuilder::new();
    for index in 0..records {
        let event =
            EventMetrics { event_name: format!("e{index}"), status: "completed".to_owned(), ..Default::default() };
        builder.push(&metricast_records::MetricsRef::Event(event.as_ref()), 0.0).unwrap();
    }
    Arc::new(builder.finish())
}

async fn publish_fault(guest: Guest) -> Fault {
    let instance = open(guest).await.unwrap();
    let fault = match instance.publish(batch(3)).await {
        Err(CallError::Fault(fault)) => fault,
        other => panic!("no fault: {other:?}"),
    };
    let next = instance.flush().await.unwrap_err();
    assert_eq!(next, CallError::Fault(Fault::Gone), "an instance does not outlive a fault");
    fault
}

#[tokio::test]
async fn a_plugin_lives_through_all_of_its_calls() {
    let plugin = load(Guest::default()).await;
    assert_eq!(plugin.label(), "test 1.2.3");
    assert_eq!(plugin.exports(), [EXPORT]);
    assert!(
        plugin.imports().iter().all(|name| name.starts_with("metricast:publisher/types@")),
        "{:?}",
        plugin.imports()
    );
    assert!(plugin.digest().starts_with("sha256:"));
    plugin.check("{}", &quick()).await.unwrap();
    assert_eq!(plugin.probe(options()).await.unwrap(), []);
    assert_eq!(plugin.snippets("{}", &quick()).await.unwrap(), []);

    let instance = plugin.open(options()).await.unwrap();
    assert!(instance.profile().scrapes && !instance.profile().stateful);
    let receipt = instance.publish(batch(5)).await.unwrap();
    assert_eq!((receipt.accepted, receipt.retryable.len()), (5, 0));
    let event = EventMetrics { attributes: vec![("key".to_owned(), "value".to_owned())], ..Default::default() };
    assert_eq!(instance.publish_event_metrics(event).await.unwrap().accepted, 1);
    assert_eq!(instance.publish_network_metrics(NetworkMetrics::default()).await.unwrap().accepted, 1);
    assert_eq!(instance.flush().await.unwrap().pending, 7);
    let exposition = instance.scrape("text/plain").await.unwrap().unwrap();
    assert_eq!((exposition.content_type.as_str(), &exposition.body[..]), ("text/plain", &b"a 1"[..]));
    assert_eq!(instance.snapshot().await.unwrap(), None);
    assert_eq!(instance.close().await.unwrap().pending, 7);
}

#[tokio::test]
async fn state_comes_back_as_it_was_saved() {
    let stateful = Guest { data: &[(0x380, r"\01")], ..Guest::default() };
    let saved = Saved { version: 3, state: vec![7; 100_000].into(), next_offset: u64::MAX - 1 };
    let options = options().with_state(Some(saved.clone()));
    let instance = load(stateful).await.open(options).await.unwrap();
    assert!(instance.profile().stateful);
    assert_eq!(instance.snapshot().await.unwrap(), Some(saved));
}

#[tokio::test]
async fn an_endless_loop_is_cut_off_in_time_wherever_it_is() {
    const LOOP: &str = "(loop $again (br $again)) (unreachable)";
    let timeout = Fault::Timeout { after: Duration::from_millis(300) };
    let started = Instant::now();
    assert_eq!(publish_fault(Guest { publish: LOOP, ..Guest::default() }).await, timeout);
    let opened = open(Guest { open: LOOP, ..Guest::default() }).await;
    assert_eq!(opened.err(), Some(CallError::Fault(timeout.clone())));
    for guest in [Guest { describe: LOOP, ..Guest::default() }, Guest { start: LOOP, ..Guest::default() }] {
        let error = load_bytes(&guest.component()).await.err().unwrap();
        assert!(
            error.to_string().ends_with("it cannot describe itself: the plugin did not answer within 300ms"),
            "{error}"
        );
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_that_loop_leave_time_for_others() {
    let looping = Guest { publish: "(loop $again (br $again)) (unreachable)", ..Guest::default() };
    let plugin = load(looping).await;
    let mut looping = Vec::new();
    for _ in 0..8 {
        let limits = Limits::default().with_call_time(Duration::from_secs(20)).unwrap();
        let options = OpenOptions::new("loop", "{}", Grants::default(), Secrets::default(), limits);
        looping.push(plugin.open(options).await.unwrap());
    }
    let hogs: Vec<_> =
        looping.iter().cloned().map(|instance| tokio::spawn(async move { instance.publish(batch(1)).await })).collect();

    let other = plugin.open(OpenOptions { limits: Limits::default(), ..options() }).await.unwrap();
    let started = Instant::now();
    other.flush().await.unwrap();
    other.flush().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    hogs.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_memory_bomb_is_told_which_limit_it_hit() {
    let bomb = Guest {
        publish: "(loop $again (drop (memory.grow (i32.const 256))) (br $again)) (unreachable)",
        ..Guest::default()
    };
    let fault = publish_fault(bomb).await;
    let Fault::Limit(LimitHit { name, limit, current, requested }) = fault else { panic!("{fault}") };
    assert_eq!((name, limit), ("memory in bytes", 256 << 20));
    assert!(current <= limit && requested > limit && requested - current == 256 << 16, "{current} {requested}");
}

#[tokio::test]
async fn a_table_bomb_is_told_which_limit_it_hit() {
    let error = load_bytes(&Guest { table: 10_000_000, ..Guest::default() }.component()).await.err().unwrap();
    assert!(error.to_string().contains("table elements is limited to 100000: 0 in use, 10000000 asked for"), "{error}");
}

#[tokio::test]
async fn a_trap_is_a_fault_with_its_message_and_place() {
    let fault = publish_fault(Guest { publish: "(unreachable)", ..Guest::default() }).await;
    let Fault::Trap { message, backtrace } = fault else { panic!("{fault}") };
    assert!(message.contains("unreachable"), "{message}");
    assert!(!backtrace.is_empty());
}

#[tokio::test]
async fn deep_recursion_is_a_trap_and_no_more() {
    let fault = publish_fault(Guest { publish: "(call $recurse)", ..Guest::default() }).await;
    assert!(matches!(&fault, Fault::Trap { message, .. } if message.contains("call stack exhausted")), "{fault}");
}

#[tokio::test]
async fn answers_that_break_the_contract_are_faults() {
    let publish = "(i32.const 0x400)";
    let cases: [(&'static [(u32, &'static str)], _); 3] = [
        (&[(0x408, r"\04")], "4 accepted, 0 rejected and 0 retryable do not add up to 3 records"),
        (&[(0x408, r"\02"), (0x414, r"\00\09\00\00\01\00\00\00"), (0x900, r"\09")], "the receipt names record 9 of 3"),
        (&[(0x408, r"\03"), (0x40c, r"\00\00\ff\ff\00\00\ff\7f")], ""),
    ];
    for (data, lie) in cases {
        let fault = publish_fault(Guest { publish, data, ..Guest::default() }).await;
        assert!(fault.to_string().contains(lie), "{fault}");
    }
}

#[tokio::test]
async fn an_answer_of_more_bytes_than_one_may_have_is_a_fault() {
    let grown = "(drop (memory.grow (i32.const 400))) (i32.store (i32.const 0x684) (i32.const 0)) (i32.const 0x680)";
    let huge = Guest { scrape: grown, data: &[(0x68c, r"\00\00\00\00\00\00\80\01")], ..Guest::default() };
    let plugin = load(huge).await;
    let limits = Limits { answer: 1 << 20, ..Limits::default() };
    let options = OpenOptions::new("test", "{}", Grants::default(), Secrets::default(), limits);
    let error = plugin.open(options).await.unwrap().scrape("").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plugin's answer breaks the contract: it hands over more than 1048576 bytes in one call"
    );
}

#[tokio::test]
async fn an_error_of_the_plugin_is_typed_and_leaves_it_alive() {
    let unavailable = &[
        (0x400, r"\01"),
        (0x408, r"\02\00\00\00\00\00\00\00\50\08\00\00\05\00\00\00\01\00\00\00\00\00\00\00\e8\03"),
        (0x850, "a\\0ab c"),
    ];
    let instance = open(Guest { publish: "(i32.const 0x400)", data: unavailable, ..Guest::default() }).await.unwrap();
    let error = instance.publish(batch(1)).await.unwrap_err();
    let retry_after = Some(Duration::from_secs(1));
    assert_eq!(error, CallError::Publish(PublishError::Unavailable { reason: "a b c".to_owned(), retry_after }));
    assert_eq!(instance.flush().await.unwrap().pending, 7);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_with_it() {
    let instance = open(Guest::default()).await.unwrap();
    let mut publish = Box::pin(instance.publish(batch(1)));
    let _ = futures::poll!(&mut publish);
    drop(publish);
    assert_eq!(instance.publish(batch(2)).await.unwrap().accepted, 2);
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_by_name() {
    let wat = |text: &str| wat::parse_str(text).unwrap();
    for (bytes, words) in [
        (wat("(module)"), "it is a core module, not a component"),
        (wat("(component)"), "it does not export metricast:publisher/publisher@0.1.0; it exports nothing"),
        (
            wat(r#"(component (import "evil:files/disk@1.0.0" (instance)) (import "wasi:cli/exit@0.2.0" (instance)))"#),
            "it imports evil:files/disk@1.0.0, which no plugin gets",
        ),
        (
            wat(r#"(component (import "wasi:http/types@0.2.0" (instance (export "no-such" (func))))
                    (instance $i) (export "metricast:publisher/publisher@0.1.0" (instance $i)))"#),
            "its imports cannot be satisfied",
        ),
        (
            wat(r#"(component (instance $i) (export "metricast:publisher/publisher@0.1.0" (instance $i)))"#),
            "its metricast:publisher/publisher@0.1.0 has another shape than the contract's",
        ),
        (b"\0asm\x0d\0\x01\0garbage".to_vec(), "it does not compile"),
    ] {
        let error = load_bytes(&bytes).await.err().unwrap().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
    let missing = loader().load(&PluginSource::File("no/such.wasm".into()), &quick()).await.err().unwrap();
    assert!(missing.to_string().starts_with("plugin no/such.wasm: cannot read it"), "{missing}");
}

#[tokio::test]
async fn every_bundled_plugin_calls_itself_by_its_name() {
    let loader = loader();
    for name in bundled() {
        let plugin = loader.load(&PluginSource::bundled(name).unwrap(), &Limits::default()).await.unwrap();
        assert_eq!(plugin.description().name, name);
    }
}
