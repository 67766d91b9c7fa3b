#![no_main]

genti_fuzz::fuzz!("cargo_build");
