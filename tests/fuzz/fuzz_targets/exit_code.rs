#![no_main]

genti_fuzz::fuzz!("exit_code");
