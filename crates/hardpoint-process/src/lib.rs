//! Starts, limits, signals and reaps process trees. Knows nothing about plugins.
