//! The vocabulary of Hardpoint: manifest, pipeline, errors, exit reasons. Pure data, no I/O.
