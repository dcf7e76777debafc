//! The component that carries a config: it exports `metricast:publisher/settings`, whose one function gives a text that
//! stands in its memory, or none.

use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ExportKind, ExportSection, Function, FunctionSection, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use super::error::ComposeError;

/// The contract's own text of the interface, in a package that has nothing else.
const WIT: &str = concat!(
    "package metricast:publisher@0.1.0;\n",
    include_str!("../../../wit/settings.wit"),
    "world constant { export settings; }\n",
);
const FUNCTION: &str = "metricast:publisher/settings@0.1.0#get";
/// Where the answer stands: whether there is a text, where it begins and how long it is, 4 bytes each
/// (<https://github.com/WebAssembly/component-model/blob/main/design/mvp/CanonicalABI.md>). 0 is left free.
const ANSWER: i32 = 16;
const TEXT: u32 = ANSWER.cast_unsigned() + 12;
const PAGE: u64 = 65_536;

/// The component with this config.
pub(super) fn constant(config: Option<&str>) -> Result<Vec<u8>, ComposeError> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("settings.wit", WIT).map_err(ComposeError::graph)?;
    let world = resolve.select_world(&[package], Some("constant")).map_err(ComposeError::graph)?;
    let mut module = module(config);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(ComposeError::graph)?;
    let mut encoder = ComponentEncoder::default();
    encoder.module(&module).and_then(|encoder| encoder.validate(true).encode()).map_err(ComposeError::graph)
}

/// A core module with a memory that holds the answer, and a function that says where.
fn module(config: Option<&str>) -> Vec<u8> {
    let text = config.unwrap_or_default();
    let mut data = Vec::new();
    for word in [u32::from(config.is_some()), TEXT, text.len() as u32] {
        data.extend_from_slice(&word.to_le_bytes());
    }
    data.extend_from_slice(text.as_bytes());
    let minimum = (u64::from(TEXT) + text.len() as u64).div_ceil(PAGE);

    let mut types = TypeSection::new();
    types.ty().function([], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType { minimum, maximum: None, memory64: false, shared: false, page_size_log2: None });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export(FUNCTION, ExportKind::Func, 0);
    let mut code = CodeSection::new();
    let mut get = Function::new([]);
    get.instructions().i32_const(ANSWER).end();
    code.function(&get);
    let mut datas = DataSection::new();
    datas.active(0, &ConstExpr::i32_const(ANSWER), data);

    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code).section(&datas);
    module.finish()
}

#[cfg(test)]
mod tests {
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Engine, Store};

    use super::*;

    fn get(config: Option<&str>) -> Option<String> {
        let engine = Engine::default();
        let component = Component::new(&engine, constant(config).unwrap()).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
        let settings = instance.get_export_index(&mut store, None, "metricast:publisher/settings@0.1.0").unwrap();
        let get = instance.get_export_index(&mut store, Some(&settings), "get").unwrap();
        let get = instance.get_typed_func::<(), (Option<String>,)>(&mut store, get).unwrap();
        get.call(&mut store, ()).unwrap().0
    }

    #[test]
    fn the_component_gives_the_config_that_was_put_in_and_imports_nothing() {
        assert_eq!(get(None), None);
        assert_eq!(get(Some("")), Some(String::new()));
        for config in ["{}".to_owned(), "{\"ü\":\"\\n€\"}".to_owned(), "x".repeat(3 * 65_536)] {
            assert_eq!(get(Some(&config)), Some(config));
        }
    }
}
