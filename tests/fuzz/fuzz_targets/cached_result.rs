#![no_main]

genti_fuzz::fuzz!("cached_result");
