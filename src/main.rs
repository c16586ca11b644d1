//! The `rollsafe` binary: arguments in, report and exit code out. Only this file prints.

fn main() {}
