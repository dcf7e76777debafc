//! The partial success of OTLP: `ExportMetricsServiceResponse`
//! (<https://opentelemetry.io/docs/specs/otlp/#partial-success-1>).

use metricast_sdk::shortened;

/// The field of the response that has the partial success, and the fields of that.
const PARTIAL_SUCCESS: u64 = 1;
const REJECTED_DATA_POINTS: u64 = 1;
const ERROR_MESSAGE: u64 = 2;

/// What the receiver did not take, or warns of; none where it took all, or the body says nothing that can be read.
pub(crate) fn rejected(body: &[u8]) -> Option<String> {
    let mut points = 0;
    let mut message = String::new();
    for (field, value) in fields(body) {
        let (PARTIAL_SUCCESS, Value::Bytes(partial)) = (field, value) else { continue };
        for (field, value) in fields(partial) {
            match (field, value) {
                (REJECTED_DATA_POINTS, Value::Number(number)) => points = number,
                (ERROR_MESSAGE, Value::Bytes(text)) => message = String::from_utf8_lossy(text).into_owned(),
                _ => {}
            }
        }
    }
    match (points, message.is_empty()) {
        (0, true) => None,
        (0, false) => Some(shortened(message)),
        (points, true) => Some(format!("the receiver rejects {points} data points and does not say why")),
        (points, false) => Some(shortened(format!("the receiver rejects {points} data points: {message}"))),
    }
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, up to where it cannot be read.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            1 => Value::Bytes(take(&mut bytes, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Value::Bytes(take(&mut bytes, length)?)
            }
            5 => Value::Bytes(take(&mut bytes, 4)?),
            _ => return None,
        };
        Some((tag >> 3, value))
    })
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(bytes, 1)? else { return None };
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_rejected_is_told_with_its_reason() {
        assert_eq!(rejected(b""), None);
        assert_eq!(rejected(b"\x0a\x00"), None);
        let with_reason = b"\x0a\x0a\x08\xac\x02\x12\x05limit";
        assert_eq!(rejected(with_reason).as_deref(), Some("the receiver rejects 300 data points: limit"));
        let without = Some("the receiver rejects 3 data points and does not say why");
        assert_eq!(rejected(b"\x0a\x02\x08\x03").as_deref(), without);
        assert_eq!(rejected(b"\x0a\x07\x12\x05beta!").as_deref(), Some("beta!"));
        // Fields that nobody knows stand before and inside.
        assert_eq!(rejected(b"\x19\0\0\0\0\0\0\0\0\x0a\x07\x1d\0\0\0\0\x08\x03").as_deref(), without);
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let told = rejected(&bytes);
            prop_assert!(told.is_none_or(|told| !told.is_empty()));
        }
    }
}
