//! Nothing to find.
