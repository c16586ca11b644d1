//! Feeds the check of that name: see ../checks/parse.rs.
#![no_main]

#[path = "../checks/parse.rs"]
mod parse;

libfuzzer_sys::fuzz_target!(|text: &str| parse::check(text));
