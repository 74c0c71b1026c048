//! Owns worker processes: spawn, handshake, calls, deadlines, kill ladder, exit reasons.
