//! Plugin environments: one Python environment per plugin, built beside and switched.
