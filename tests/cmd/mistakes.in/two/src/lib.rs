//! Configured in two places.
