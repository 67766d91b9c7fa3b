//! Without a Cargo.lock.
