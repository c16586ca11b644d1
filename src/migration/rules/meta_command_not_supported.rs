//! `meta_command_not_supported`: a psql meta-command in a file that psql doesn't run.

use super::{Check, Rule};

/// The rule.
pub static RULE: Rule = Rule {
    code: "meta_command_not_supported",
    page: migration_page!("meta_command_not_supported"),
    check: Check::Engine,
};
