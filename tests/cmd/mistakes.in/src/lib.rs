//! Nothing to find; the mistakes are in the configurations.
