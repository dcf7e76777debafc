//! What wit-bindgen makes of `wit/`. Its records are plain data on every target; its functions are there in a
//! component only.
#![expect(clippy::pedantic, missing_docs, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "composite",
    generate_all,
    export_macro_name: "export_composite",
    additional_derives: [PartialEq],
});

pub use metricast::publisher::types;
