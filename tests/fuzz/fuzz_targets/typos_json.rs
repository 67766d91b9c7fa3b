#![no_main]

genti_fuzz::fuzz!("typos_json");
