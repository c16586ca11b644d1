//! `suppression_without_reason`: a suppression that doesn't say why.

use super::{Check, Rule};

/// The rule.
pub static RULE: Rule = Rule {
    code: "suppression_without_reason",
    page: migration_page!("suppression_without_reason"),
    check: Check::Engine,
};
