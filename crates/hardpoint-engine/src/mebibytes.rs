//! Amounts of memory as people and other hosts are told them, and back.
//!
//! Owns the two conversions.

/// As a fraction; exact below 8 PiB.
#[expect(clippy::cast_precision_loss, reason = "a float is what is asked for")]
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Whatever the number is, it is cut to what a machine can have.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float is cut to the range"
)]
pub(crate) fn bytes(mebibytes: f64) -> u64 {
    (mebibytes * f64::from(1 << 20)) as u64
}
