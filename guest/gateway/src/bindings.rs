//! What wit-bindgen makes of the world `gateway` of `wit/`. Only [`component`](super::component) names it.
#![expect(clippy::pedantic, clippy::undocumented_unsafe_blocks, reason = "generated code")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "gateway",
    generate_all,
});
