#![no_main]

genti_fuzz::fuzz!("results_log");
