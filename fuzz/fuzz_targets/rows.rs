//! Feeds the check of that name: see ../checks/rows.rs.
#![no_main]

#[path = "../checks/rows.rs"]
mod rows;

libfuzzer_sys::fuzz_target!(|input: &[u8]| rows::check(input));
