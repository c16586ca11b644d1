//! Squawk's suppression comments, for projects that come from there: `-- squawk-ignore ban-drop-column` before a statement,
//! `-- squawk-ignore-file` for the file; names are separated by commas, and no name means every rule.
//!
//! Names as of squawk 2.50. A rule of squawk may be several of ours, and some have none: those comments do nothing.

/// What rules of squawk are here; an empty list: nothing here says the same.
pub const RULES: &[(&str, &[&str])] = &[
    ("adding-field-with-default", &["add_column_rewrites", "default_changed"]),
    ("adding-foreign-key-constraint", &["add_foreign_key_validates", "create_table_foreign_key_locks"]),
    (
        "adding-not-nullable-field",
        &["add_not_null_without_default", "set_not_null_scans", "set_not_null_breaks_writers"],
    ),
    ("adding-required-field", &["add_not_null_without_default"]),
    (
        "adding-serial-primary-key-field",
        &["add_primary_key_builds_index", "add_column_rewrites", "serial_column"],
    ),
    ("ban-add-column", &[]),
    ("ban-add-composite-attribute", &["composite_type_changed"]),
    ("ban-add-enum-value", &["enum_value_position", "irreversible_change"]),
    ("ban-alter-database-options", &["system_setting_changed"]),
    ("ban-alter-domain-with-add-constraint", &["domain_constraint_scans"]),
    ("ban-alter-extension", &["extension_updated"]),
    ("ban-alter-function-options", &["replace_function"]),
    ("ban-alter-generated-expression", &["column_type_rewrites"]),
    ("ban-alter-identity", &["identity_always_breaks_writers"]),
    ("ban-alter-policy-condition", &["policy_changed"]),
    ("ban-alter-policy-roles", &["policy_changed"]),
    ("ban-alter-role-options", &["role_changed"]),
    ("ban-alter-row-level-security", &["row_security_enabled"]),
    ("ban-alter-sequence-values", &["sequence_restarted"]),
    ("ban-alter-system-options", &["system_setting_changed"]),
    ("ban-alter-view-options", &["replace_view"]),
    ("ban-char-field", &["char_column"]),
    ("ban-concurrent-index-creation-in-transaction", &["concurrently_in_transaction"]),
    ("ban-create-domain-with-constraint", &["domain_constraint_scans"]),
    ("ban-create-policy", &["policy_changed"]),
    ("ban-detach-inheritance", &["inheritance_changed"]),
    ("ban-disable-trigger", &["disable_trigger"]),
    ("ban-drop-column", &["drop_column"]),
    ("ban-drop-constraint", &["drop_constraint"]),
    ("ban-drop-database", &["drop_database"]),
    ("ban-drop-default", &["drop_default_breaks_writers", "default_changed"]),
    ("ban-drop-domain", &["drop_type_in_use"]),
    ("ban-drop-extension", &["drop_extension"]),
    ("ban-drop-function", &["drop_function"]),
    ("ban-drop-generated-expression", &["default_changed"]),
    ("ban-drop-index", &["drop_index_in_use", "drop_index_blocks"]),
    ("ban-drop-not-null", &["drop_not_null"]),
    ("ban-drop-policy", &["policy_changed"]),
    ("ban-drop-schema", &["drop_schema"]),
    ("ban-drop-sequence", &["drop_sequence"]),
    ("ban-drop-table", &["drop_table"]),
    ("ban-drop-trigger", &["drop_trigger"]),
    ("ban-drop-type", &["drop_type_in_use"]),
    ("ban-drop-view", &["drop_view", "drop_materialized_view"]),
    ("ban-duplicate-column-assignments", &["duplicate_column_assignment"]),
    ("ban-new-write-restriction", &["unique_added", "create_trigger_locks"]),
    ("ban-replace-view-function", &["replace_view", "replace_function"]),
    ("ban-replica-identity", &["replica_identity_changed"]),
    ("ban-revoke", &["revoke_privilege"]),
    ("ban-set-default", &["default_changed"]),
    ("ban-set-schema", &["set_schema"]),
    ("ban-truncate-cascade", &["truncate_table", "drop_cascade"]),
    ("ban-uncommitted-transaction", &["transaction_left_open"]),
    (
        "changing-column-type",
        &[
            "column_type_changed",
            "column_type_narrowed",
            "column_type_rebuilds_indexes",
            "column_type_rewrites",
        ],
    ),
    ("constraint-missing-not-valid", &["add_check_validates", "add_foreign_key_validates"]),
    ("disallowed-unique-constraint", &["add_unique_builds_index", "unique_added"]),
    ("identifier-too-long", &["identifier_truncated"]),
    ("prefer-big-int", &["int_primary_key"]),
    ("prefer-bigint-over-int", &["int_primary_key"]),
    ("prefer-bigint-over-smallint", &["int_primary_key"]),
    ("prefer-identity", &["serial_column"]),
    ("prefer-repack", &["vacuum_full", "cluster_table"]),
    ("prefer-robust-stmts", &["not_rerunnable", "missing_if_exists"]),
    ("prefer-text-field", &["varchar_limit"]),
    ("prefer-timestamp-tz", &["timestamp_without_time_zone"]),
    ("prefer-timestamptz", &["timestamp_without_time_zone"]),
    ("renaming-column", &["rename_column"]),
    ("renaming-object", &["rename_schema", "rename_type", "rename_enum_value"]),
    ("renaming-table", &["rename_table"]),
    (
        "require-concurrent-index-creation",
        &["create_index_blocks_writes", "create_index_on_partitioned_table"],
    ),
    ("require-concurrent-index-deletion", &["drop_index_blocks"]),
    ("require-concurrent-partition-detach", &["detach_partition_blocks"]),
    ("require-concurrent-reindex", &["reindex_blocks"]),
    ("require-enum-value-ordering", &["enum_value_position"]),
    ("require-lock-timeout", &["lock_timeout_missing"]),
    ("require-statement-timeout", &["statement_timeout_missing"]),
    ("require-table-schema", &["schema_not_named"]),
    ("require-timeout-settings", &["lock_timeout_missing", "statement_timeout_missing"]),
    ("transaction-nesting", &["nested_transaction", "commit_ends_runner_transaction"]),
    ("unused-ignore", &["suppression_unused"]),
];

/// Our codes for one of squawk's names; `None`: squawk has no such rule that is known here.
pub fn codes(name: &str) -> Option<&'static [&'static str]> {
    RULES.iter().find(|(known, _)| *known == name).map(|(_, codes)| *codes)
}

/// The name most like `word`.
pub fn nearest(word: &str) -> Option<&'static str> {
    RULES
        .iter()
        .map(|(known, _)| (strsim::jaro_winkler(known, word), *known))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_exists_and_names_are_in_order() {
        for (name, codes) in RULES {
            for code in *codes {
                assert!(crate::migration::rules::rule(code).is_some(), "{name}: there is no {code}");
            }
        }
        assert!(RULES.windows(2).all(|two| two[0].0 < two[1].0));
    }
}
