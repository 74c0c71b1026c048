//! What tests share: running the real binary, waiting for conditions, finding leftovers.
