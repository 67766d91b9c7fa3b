#![no_main]

genti_fuzz::fuzz!("deny_json");
