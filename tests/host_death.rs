//! host_death
