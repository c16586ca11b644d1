//! `statement_not_understood`: a statement, or a clause of it, that rollsafe doesn't understand.

use super::{Check, Rule};

/// The rule.
pub static RULE: Rule = Rule {
    code: "statement_not_understood",
    page: migration_page!("statement_not_understood"),
    check: Check::Engine,
};
