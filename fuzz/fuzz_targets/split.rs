//! Feeds the check of that name: see ../checks/split.rs.
#![no_main]

#[path = "../checks/split.rs"]
mod split;

libfuzzer_sys::fuzz_target!(|text: &str| split::check(text));
