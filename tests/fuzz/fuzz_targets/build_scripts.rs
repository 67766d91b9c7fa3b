#![no_main]

genti_fuzz::fuzz!("build_scripts");
