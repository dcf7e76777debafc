//! Two publishers behind one: a component that gives each record to both of the plugins that it is composed with.
//!
//! Composites nest, so that two legs are enough for any number, and their config is one flat list whatever the nesting
//! ([`part`]). A leg whose backend is away neither stops nor loses anything for the other: what it does not take waits
//! in a buffer of its own ([`pending`]) and is given to it again ([`side`]). Accepted means taken or buffered by every
//! leg ([`composite`]). What waits is state, as that of the legs is, and is saved with it ([`state`]).
//!
//! The legs share one store: a trap in one ends all, and what waits in memory is gone with it unless a host saved it.
//! Everything but `component` is native code over the traits of [`leg`], and is tested so.

pub mod advice;
pub mod batch;
mod bindings;
#[cfg(target_arch = "wasm32")]
mod component;
pub mod composite;
pub mod leg;
pub mod part;
pub mod pending;
mod receipt;
mod rest;
pub mod schema;
mod side;
mod state;

#[cfg(test)]
mod composite_tests;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod time_tests;

pub use bindings::types;
