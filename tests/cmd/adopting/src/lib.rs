//! Replaced by what the page makes.
