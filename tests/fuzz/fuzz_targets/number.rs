#![no_main]

genti_fuzz::fuzz!("number");
