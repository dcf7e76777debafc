//! How a call can go wrong.

use std::time::Duration;

use wasmtime::WasmBacktrace;
use wasmtime_wasi::I32Exit;

use super::types::PublishError;
use crate::limits::LimitHit;
use crate::untrusted;

/// Why a call has no answer to work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin answered, with an error. The instance lives on.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The instance is dead, and its owner replaces it.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// What killed an instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The code stopped itself: a panic, an access out of bounds, an unreachable instruction.
    #[error("the plugin trapped: {message}")]
    Trap {
        /// What the machine says.
        message: String,
        /// The innermost frames, one a line.
        backtrace: String,
    },
    /// The whole call took longer than it may.
    #[error("the plugin did not answer within {after:?}")]
    Timeout {
        /// The bound.
        after: Duration,
    },
    /// It wanted more than it may have.
    #[error("the plugin went beyond a limit: {0}")]
    Limit(LimitHit),
    /// Its answer breaks the contract.
    #[error("the plugin's answer breaks the contract: {what}")]
    Untrusted {
        /// Which clause of it.
        clause: Clause,
        /// In what way.
        what: String,
    },
    /// It had ended before this call.
    #[error("the plugin's instance has ended")]
    Gone,
}

/// What of the contract an answer can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause {
    /// `describe`.
    Description,
    /// `profile`.
    Profile,
    /// Accepted, rejected and retryable add up.
    ReceiptSum,
    /// Indexes are in range and unique.
    ReceiptIndex,
    /// A stateful plugin answers for whole batches.
    ReceiptWhole,
    /// A snapshot is there exactly where there is state.
    Snapshot,
    /// An exposition's content type.
    Exposition,
    /// `probe` and `snippets`.
    Advice,
    /// How much is handed over in one call.
    Size,
}

/// Frames of a backtrace that are kept: a panic's own are the first ten or so.
const FRAMES: usize = 16;
/// Bytes of a trap's message.
const MESSAGE: usize = 2 << 10;
/// How wasmtime begins to say that an instance handed over more than its hostcall fuel.
const TOO_MUCH: &str = "too much data is being copied";

/// What a failed call died of; `last` is the last line that the plugin logged in it, `answer` the bound on what it may
/// hand over.
pub(super) fn fault_of(error: &wasmtime::Error, last: Option<String>, answer: usize) -> Fault {
    if let Some(hit) = error.downcast_ref::<LimitHit>() {
        return Fault::Limit(*hit);
    }
    let cause = if error.is::<I32Exit>() { "it called exit".to_owned() } else { error.root_cause().to_string() };
    if cause.starts_with(TOO_MUCH) {
        let what = format!("it hands over more than {answer} bytes in one call");
        return Fault::Untrusted { clause: Clause::Size, what };
    }
    let words = last.map(|last| format!("{cause}; it last said: {last}"));
    let message = untrusted::text(&words.unwrap_or(cause), MESSAGE);
    Fault::Trap { message, backtrace: error.downcast_ref().map(innermost).unwrap_or_default() }
}

fn innermost(backtrace: &WasmBacktrace) -> String {
    let frame = |frame: &wasmtime::FrameInfo| match (frame.func_name(), frame.module_offset()) {
        (Some(name), _) => untrusted::text(name, 200),
        (None, Some(offset)) => format!("function {} at {offset:#x}", frame.func_index()),
        (None, None) => format!("function {}", frame.func_index()),
    };
    backtrace.frames().iter().take(FRAMES).map(frame).collect::<Vec<_>>().join("\n")
}
