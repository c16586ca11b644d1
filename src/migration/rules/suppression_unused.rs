//! `suppression_unused`: a suppression that suppresses nothing.

use super::{Check, Rule};

/// The rule.
pub static RULE: Rule =
    Rule { code: "suppression_unused", page: migration_page!("suppression_unused"), check: Check::Engine };
