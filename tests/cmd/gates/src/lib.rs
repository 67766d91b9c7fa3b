//! A package for the page on gates.
