//! The worker protocol: frames, messages, blobs, limits.
