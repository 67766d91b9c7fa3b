#![no_main]

genti_fuzz::fuzz!("rustc_json");
