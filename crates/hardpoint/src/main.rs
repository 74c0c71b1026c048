//! The `hardpoint` binary.
fn main() {}
