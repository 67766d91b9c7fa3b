//! plan (being written).

pub mod config;
