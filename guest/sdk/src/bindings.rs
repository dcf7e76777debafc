//! What wit-bindgen makes of `wit/`. Only this crate names it; plugins see the types of the crate's root.
#![expect(clippy::pedantic, clippy::undocumented_unsafe_blocks, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "plugin",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_plugin",
    default_bindings_module: "metricast_sdk::bindings",
});
