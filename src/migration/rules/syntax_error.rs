//! `syntax_error`: text that PostgreSQL is certain to reject.

use super::{Check, Rule};

/// The rule.
pub static RULE: Rule =
    Rule { code: "syntax_error", page: migration_page!("syntax_error"), check: Check::Engine };
