//! `dynamic_sql_not_checked`: SQL that is put together at run time can't be checked.

use super::{Check, Rule};

/// The rule.
pub static RULE: Rule = Rule {
    code: "dynamic_sql_not_checked",
    page: migration_page!("dynamic_sql_not_checked"),
    check: Check::Engine,
};
