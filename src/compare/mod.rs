//! compare (being written).
