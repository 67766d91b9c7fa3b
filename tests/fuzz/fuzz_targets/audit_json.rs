#![no_main]

genti_fuzz::fuzz!("audit_json");
