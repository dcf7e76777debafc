//! The wire format of protobuf (<https://protobuf.dev/programming-guides/encoding/>), as far as it is written here.
//!
//! A nested message stands behind its length, which is known when it is written: one byte is left free for it, and what
//! follows moves up where it needs more. Most messages of an exposition need one.

/// Appends a number, seven bits a byte.
pub fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field that is a number.
pub fn unsigned(field: u8, value: u64, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3, out);
    varint(value, out);
}

/// Appends a field that is a number with a sign, near to 0 mostly.
pub fn signed(field: u8, value: i64, out: &mut Vec<u8>) {
    unsigned(field, zigzag(value), out);
}

/// Numbers near to 0 as small ones without a sign: 0, -1, 1, -2, ...
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Appends a field that is a float.
pub fn double(field: u8, value: f64, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field that is a number of eight bytes.
pub fn fixed(field: u8, value: u64, out: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field that is a text.
pub fn text(field: u8, value: &str, out: &mut Vec<u8>) {
    bytes(field, value.as_bytes(), out);
}

/// Appends a field that is bytes.
pub fn bytes(field: u8, value: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(field) << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Appends a field that is a message, or a list of packed numbers, which `write` appends.
pub fn nested(field: u16, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    varint(u64::from(field << 3 | 2), out);
    delimited(out, write);
}

/// Appends what `write` appends, behind its length.
pub fn delimited(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    if length < 0x80 {
        out[at] = length as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(10);
    varint(length as u64, &mut prefix);
    out.splice(at..=at, prefix);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = vec![0xee];
        write(&mut out);
        out.remove(0);
        out
    }

    #[test]
    fn numbers_are_as_the_encoding_guide_shows_them() {
        assert_eq!(written(|out| unsigned(1, 150, out)), [0x08, 0x96, 0x01]);
        assert_eq!(written(|out| varint(u64::MAX, out)), [255, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert_eq!([0, -1, 1, -2, i64::MAX, i64::MIN].map(zigzag), [0, 1, 2, 3, u64::MAX - 1, u64::MAX]);
        assert_eq!(written(|out| text(2, "testing", out)), b"\x12\x07testing");
        assert_eq!(written(|out| double(1, 1.0, out)), [9, 0, 0, 0, 0, 0, 0, 240, 63]);
    }

    #[test]
    fn a_message_of_any_size_stands_behind_its_length() {
        for length in [0, 1, 127, 128, 129, 16_383, 16_384, 3_000_000] {
            let mut expected = Vec::new();
            varint(length as u64, &mut expected);
            expected.resize(expected.len() + length, 7);
            assert_eq!(written(|out| delimited(out, |out| out.resize(out.len() + length, 7))), expected, "{length}");
        }
        assert_eq!(written(|out| nested(16, out, |out| out.push(1))), [0x82, 1, 1, 1]);
    }
}
