//! The GPU: whether the driver lists a device that the plugin may see, and whether its torch can use it.
//!
//! Owns the two questions and the one word about them. There is no way around a GPU that is missing: a
//! plugin that says it needs one is never started on the processor.

mod driver;
mod judge;
mod nvml;
mod smi;
mod torch;
mod usage;
mod visible;

pub use driver::{Device, DriverFacts, DriverTrouble};
pub use nvml::{DRIVER_ARGUMENT, driver_main};

pub(crate) use driver::{Driver, driver, driver_now};
pub(crate) use judge::judge;
pub(crate) use torch::{declares_torch, torch};
pub(crate) use usage::{share, share_of};
pub(crate) use visible::VARIABLE as VISIBLE_DEVICES;
