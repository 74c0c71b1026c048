//! What other hosts have written down about their plugins, what that becomes here, and what their contracts ask for.
//!
//! Owns the foreign files, their words, and the reading of what a worker says about a plugin of another contract. Must not
//! know the terminal, processes or where plugins lie; nothing else in this crate knows a foreign key.

pub(crate) mod cjm;
pub(crate) mod contract;
mod limits;
mod registration;

pub(crate) use limits::FILE_BYTES_MAX;
pub(crate) use registration::{Found, Registration, of_entry_point};
