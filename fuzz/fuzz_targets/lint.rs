//! Feeds the check of that name: see ../checks/lint.rs.
#![no_main]

#[path = "../checks/lint.rs"]
mod lint;

libfuzzer_sys::fuzz_target!(|text: &str| lint::check(text));
