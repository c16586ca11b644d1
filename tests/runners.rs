//! What the migration tool does with a file decides what is said of it: one project laid out for each case.

use std::path::Path;

use rollsafe::cli::{self, Surroundings};
use rollsafe::migration::project::runners::RUNNERS;

/// Lints the files, given as (path, text), and gives the findings of one code: path, message, help.
fn findings_with(more: &[&str], files: &[(&str, &str)], code: &str) -> Vec<(String, String, String)> {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("folders");
        std::fs::write(path, text).expect("written");
    }
    let migrations = folder.path().join("migrations");
    let arguments = ["rollsafe", "lint", "--no-config", "--format", "json", "--fail-on", "never"];
    let arguments = arguments.iter().chain(more).map(Into::into).chain([migrations.into_os_string()]);
    let outcome =
        cli::run(arguments, Surroundings { terminal: false, color: false, width: 100, progress: false });
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["code"] == code)
        .map(|finding| {
            let path = text(&finding["path"]);
            let name = Path::new(&path).file_name().expect("a name").to_string_lossy().into_owned();
            (name, text(&finding["message"]), text(&finding["help"]))
        })
        .collect()
}

fn findings(files: &[(&str, &str)], code: &str) -> Vec<(String, String, String)> {
    findings_with(&[], files, code)
}

const TABLE: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint);\n";
const INDEX: &str = "CREATE INDEX CONCURRENTLY orders_customer_id_idx ON orders (customer_id);\n";

#[test]
fn the_switch_is_told_in_the_words_of_the_tool() {
    let up = format!("-- +goose Up\n{INDEX}");
    let table = format!("-- +goose Up\n{TABLE}");
    let code = "concurrently_in_transaction";
    let found =
        findings(&[("migrations/00001_orders.sql", &table), ("migrations/00002_index.sql", &up)], code);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].2.contains("`-- +goose NO TRANSACTION`"), "{found:?}");

    let switched = format!("-- +goose NO TRANSACTION\n{up}");
    let found =
        findings(&[("migrations/00001_orders.sql", &table), ("migrations/00002_index.sql", &switched)], code);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_switch_of_a_way_back_is_that_of_its_section() {
    let table = format!("-- +migrate Up\n{TABLE}{}", INDEX.replace("CONCURRENTLY ", ""));
    let drop =
        "-- +migrate Up\nSELECT 1;\n-- +migrate Down\nDROP INDEX CONCURRENTLY orders_customer_id_idx;\n";
    let files = [("migrations/1_orders.sql", &*table), ("migrations/2_index.sql", drop)];
    let found = findings(&files, "concurrently_in_transaction");
    assert!(found.len() == 1 && found[0].2.contains("`-- +migrate Down notransaction`"), "{found:?}");
}

#[test]
fn a_table_is_called_what_the_running_version_calls_it() {
    let rename = "-- +goose Up\nALTER TABLE orders RENAME TO purchases;\nALTER TABLE purchases RENAME COLUMN customer_id TO buyer;\n";
    let table = format!("-- +goose Up\n{TABLE}");
    let files = [("migrations/00001_orders.sql", &*table), ("migrations/00002_rename.sql", rename)];
    let found = findings(&files, "rename_column");
    assert!(found.len() == 1 && found[0].1.contains("fails on orders.customer_id"), "{found:?}");
}

#[test]
fn writes_to_a_new_target_of_a_foreign_key_are_nobodys() {
    let key = |target| {
        format!("ALTER TABLE orders ADD CONSTRAINT k FOREIGN KEY (customer_id) REFERENCES {target} (id);\n")
    };
    let table = format!("-- +goose Up\n{TABLE}CREATE TABLE buyers (id bigint PRIMARY KEY);\n");
    let code = "add_foreign_key_validates";
    let new = format!("-- +goose Up\nCREATE TABLE customers (id bigint PRIMARY KEY);\n{}", key("customers"));
    let found = findings(&[("migrations/00001_a.sql", &table), ("migrations/00002_b.sql", &new)], code);
    assert!(found.len() == 1 && found[0].1.contains("writes to orders wait"), "{found:?}");
    let old = format!("-- +goose Up\n{}", key("buyers"));
    let found = findings(&[("migrations/00001_a.sql", &table), ("migrations/00002_b.sql", &old)], code);
    assert!(found.len() == 1 && found[0].1.contains("writes to both orders and buyers wait"), "{found:?}");
}

#[test]
fn a_file_sent_as_one_query_is_a_transaction_as_soon_as_it_holds_two_statements() {
    let code = "concurrently_in_transaction";
    let alone = ("migrations/000002_index.up.sql", INDEX);
    let first = ("migrations/000001_orders.up.sql", TABLE);
    let tool = ["--runner", "golang-migrate"];
    assert!(findings_with(&tool, &[first, alone], code).is_empty());

    let two = format!("SET lock_timeout = '2s';\n{INDEX}");
    let found = findings_with(&tool, &[first, ("migrations/000002_index.up.sql", &two)], code);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("one query string"), "{found:?}");
}

#[test]
fn a_switch_that_the_tool_does_not_read_is_told() {
    let table = ("migrations/1_orders.sql", TABLE);
    let late = format!("-- Licence: MIT\n-- no-transaction\n{INDEX}");
    let tool = ["--runner", "sqlx"];
    let found = findings_with(&tool, &[table, ("migrations/2_index.sql", &late)], "switch_ignored");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("`-- no-transaction` does nothing"), "{found:?}");
    assert!(found[0].2.contains("very first bytes"), "{found:?}");
    let first = format!("-- no-transaction\n{INDEX}");
    assert!(findings_with(&tool, &[table, ("migrations/2_index.sql", &first)], "switch_ignored").is_empty());
}

#[test]
fn an_enum_value_of_an_earlier_file_is_not_usable_where_all_files_are_one_transaction() {
    let files = [
        (
            "migrations/0000_first.sql",
            "CREATE TYPE mood AS ENUM ('fine');\n--> statement-breakpoint\nCREATE TABLE days (id bigint PRIMARY KEY, mood mood);\n",
        ),
        ("migrations/0001_value.sql", "ALTER TYPE mood ADD VALUE 'tired';\n"),
        ("migrations/0002_use.sql", "ALTER TABLE days ALTER COLUMN mood SET DEFAULT 'tired';\n"),
        (
            "migrations/meta/_journal.json",
            r#"{"version":"7","dialect":"postgresql","entries":[{"idx":0,"tag":"0000_first"},{"idx":1,"tag":"0001_value"},{"idx":2,"tag":"0002_use"}]}"#,
        ),
    ];
    // All are pending, so the type is of the same transaction as well: 17 and newer allow that, older ones don't.
    let code = "enum_value_used_in_same_transaction";
    let found = findings_with(&["--postgres-version", "16"], &files, code);
    assert_eq!(found.iter().map(|found| found.0.as_str()).collect::<Vec<_>>(), ["0002_use.sql"], "{found:?}");
    assert!(findings_with(&["--postgres-version", "17"], &files, code).is_empty());
}

#[test]
fn every_tool_says_how_to_leave_the_transaction() {
    for runner in RUNNERS {
        assert!(!runner.alone.is_empty(), "{} says nothing", runner.name);
        assert!(!runner.alone.ends_with('.'), "{}: the sentence gets its full stop later", runner.name);
        let first = runner.alone.chars().next().expect("not empty");
        assert!(first.is_lowercase(), "{}: it stands behind a colon", runner.name);
    }
}

#[test]
fn what_a_platform_brings_says_nothing_of_the_projects_own_tables() {
    let first = "CREATE TABLE accounts (id uuid PRIMARY KEY);\nCREATE TRIGGER joined AFTER INSERT ON auth.users \
                 FOR EACH ROW EXECUTE FUNCTION public.join_account();\n";
    let notes =
        "CREATE TABLE IF NOT EXISTS notes (id uuid PRIMARY KEY);\nALTER TABLE notes ADD COLUMN body text;\n";
    let files = [("migrations/1_accounts.sql", first), ("migrations/2_notes.sql", notes)];
    // Nobody made `notes` before: it is new, IF NOT EXISTS or not.
    assert_eq!(findings(&files, "lock_timeout_missing"), []);
    assert_eq!(findings(&files, "relation_missing"), []);
    // A table of the project itself that no migration made: there may be others.
    let elsewhere = first.replace("auth.users", "owners");
    let files = [("migrations/1_accounts.sql", elsewhere.as_str()), ("migrations/2_notes.sql", notes)];
    assert_eq!(findings(&files, "lock_timeout_missing").len(), 1);
    assert_eq!(findings(&files, "relation_missing").len(), 1);
}

#[test]
fn policies_that_follow_in_the_transaction_are_seen() {
    let table = "CREATE TABLE notes (id uuid PRIMARY KEY, owner uuid);\n";
    let enabled = "ALTER TABLE notes ENABLE ROW LEVEL SECURITY;\n";
    let policy = "CREATE POLICY own ON notes USING (owner = auth.uid());\n";
    let said = |second: &str| {
        let files = [("migrations/V1__a.sql", table), ("migrations/V2__b.sql", second)];
        findings(&files, "row_security_enabled")
            .into_iter()
            .map(|(_, message, _)| message)
            .collect::<String>()
    };
    assert!(said(enabled).contains("sees no row"), "{}", said(enabled));
    let both = format!("{enabled}{policy}");
    assert!(said(&both).contains("only rows that a policy lets through"), "{}", said(&both));
}

#[test]
fn a_baseline_stands_in_for_the_versions_up_to_it() {
    let orders = "CREATE TABLE orders (id bigint PRIMARY KEY);\n";
    let both = "CREATE TABLE orders (id bigint PRIMARY KEY, note text);\n";
    let files = [
        ("migrations/V1__a.sql", orders),
        ("migrations/V2__b.sql", "ALTER TABLE orders ADD COLUMN note text;\n"),
        ("migrations/B2__base.sql", both),
        ("migrations/V3__c.sql", "ALTER TABLE orders ADD COLUMN note text;\n"),
    ];
    let paths = |files: &[(&str, &str)]| {
        findings(files, "already_exists").into_iter().map(|(path, ..)| path).collect::<Vec<_>>()
    };
    assert_eq!(paths(&files), ["V3__c.sql"]);
    // Where the older versions are gone, it is the history.
    assert_eq!(paths(&files[2..]), ["V3__c.sql"]);
}

#[test]
fn what_runs_again_when_it_changes_needs_no_way_back() {
    let files = [
        ("migrations/V1__a.sql", TABLE),
        ("migrations/U1__a.sql", "DROP TABLE orders;\n"),
        ("migrations/R__b.sql", "CREATE OR REPLACE VIEW open_orders AS SELECT id FROM orders;\n"),
        ("migrations/V2__c.sql", "CREATE TABLE items (id bigint PRIMARY KEY);\n"),
    ];
    let found: Vec<String> = findings(&files, "down_missing").into_iter().map(|(path, ..)| path).collect();
    assert_eq!(found, ["V2__c.sql"]);
}

#[test]
fn versions_are_the_same_where_the_tool_takes_them_for_the_same() {
    let paths = |tool: &str, files: &[(&str, &str)]| {
        let found = findings_with(&["--runner", tool], files, "version_duplicated");
        found.into_iter().map(|(path, ..)| path).collect::<Vec<_>>()
    };
    let other = "CREATE TABLE items (id bigint PRIMARY KEY);\n";
    let files = [("migrations/003_a.up.sql", TABLE), ("migrations/3_b.up.sql", other)];
    assert_eq!(paths("golang-migrate", &files), ["3_b.up.sql"]);
    let files = [
        ("migrations/V1__a.sql", TABLE),
        ("migrations/V1.0__b.sql", other),
        ("migrations/V01__c.sql", "SELECT 1;\n"),
    ];
    assert_eq!(paths("flyway", &files).len(), 1);
    let twice = format!(
        "--liquibase formatted sql\n--changeset ann:1\n{TABLE}--changeset bob:1\nSELECT 1;\n--changeset ann:1\n{other}"
    );
    assert_eq!(paths("liquibase", &[("migrations/a.sql", &twice)]), ["a.sql"]);
    // Several pairs of one version in a file are one migration.
    let pairs = format!("-- migrate:up\n{TABLE}-- migrate:down\n-- migrate:up\n{other}-- migrate:down\n");
    assert_eq!(paths("dbmate", &[("migrations/1_a.sql", &pairs)]), [""; 0]);
}

#[test]
fn atlas_reads_its_switch_only_with_an_empty_line_behind_it() {
    let table = ("migrations/1_orders.sql", TABLE);
    let tool = ["--runner", "atlas"];
    let codes = |text: &str| {
        ["concurrently_in_transaction", "switch_ignored"]
            .map(|code| findings_with(&tool, &[table, ("migrations/2_index.sql", text)], code).len())
    };
    assert_eq!(codes(&format!("-- atlas:txmode none\n\n{INDEX}")), [0, 0]);
    assert_eq!(codes(&format!("-- atlas:txmode none\n{INDEX}")), [1, 1]);
    assert_eq!(codes(&format!("SELECT 1;\n-- atlas:txmode none\n\n{INDEX}")), [1, 1]);
}

#[test]
fn the_switch_of_a_yoyo_migration_is_that_of_its_rollback() {
    let tool = ["--runner", "yoyo"];
    let drop = "DROP INDEX CONCURRENTLY orders_customer_id_idx;\n";
    let paths = |there: &str, back: &str| {
        let files = [
            ("migrations/0001.a.sql", TABLE),
            ("migrations/0002.b.sql", there),
            ("migrations/0002.b.rollback.sql", back),
        ];
        let found = findings_with(&tool, &files, "concurrently_in_transaction");
        found.into_iter().map(|(path, ..)| path).collect::<Vec<_>>()
    };
    let switch = "-- transactional: false\n";
    assert_eq!(paths(&format!("{switch}{INDEX}"), drop), [""; 0]);
    assert_eq!(
        paths("CREATE INDEX orders_customer_id_idx ON orders (customer_id);\n", &format!("{switch}{drop}")),
        ["0002.b.rollback.sql"]
    );
}

#[test]
fn flyways_group_is_one_transaction_for_all() {
    let files = [
        ("migrations/V1__a.sql", TABLE),
        ("migrations/V2__b.sql", "ALTER TABLE orders ADD COLUMN note text;\n"),
        (
            "migrations/V3__c.sql",
            "CREATE TABLE items (id bigint PRIMARY KEY);\nALTER TABLE orders ADD COLUMN other text;\n",
        ),
        ("flyway.conf", "flyway.group=true\n"),
    ];
    // All of it is of one transaction: nobody sees the table before it ends.
    assert_eq!(findings(&files, "lock_timeout_missing"), []);
    assert_ne!(findings(&files[..3], "lock_timeout_missing"), []);
}

#[test]
fn flyways_own_transaction_is_waited_for_unless_it_is_set_otherwise() {
    let told = |path: &str, text: &str| {
        let files = [
            ("migrations/V1__a.sql", TABLE),
            ("migrations/V2__b.sql", INDEX),
            (path, text),
            (".git/HEAD", ""),
        ];
        findings_with(&["--runner", "flyway"], &files, "concurrently_waits_for_tool").len()
    };
    assert_eq!(told("README.md", "flyway.postgresql.transactional.lock=false"), 1);
    assert_eq!(told("flyway.conf", "flyway.postgresql.transactional.lock=true\n"), 1);
    assert_eq!(told("flyway.conf", "# flyway.postgresql.transactional.lock=false\n"), 1);
    for (path, text) in [
        ("flyway.conf", "flyway.group=true\nflyway.postgresql.transactional.lock = false\n"),
        ("flyway.toml", "[flyway]\npostgresql.transactional.lock = false\n"),
        ("flyway.toml", "[flyway.postgresql.transactional]\nlock = false\n"),
        ("src/main/resources/application.properties", "spring.flyway.postgresql.transactional-lock=false\n"),
        (
            "src/main/resources/application-prod.yaml",
            "spring:\n  flyway:\n    postgresql:\n      transactional-lock: false\n",
        ),
        ("pom.xml", "<postgresqlTransactionalLock>false</postgresqlTransactionalLock>"),
        ("build.gradle", "flyway { pluginConfiguration = [postgresqlTransactionalLock: 'false'] }\n"),
        ("compose.yaml", "environment:\n  FLYWAY_POSTGRESQL_TRANSACTIONAL_LOCK: \"false\"\n"),
    ] {
        assert_eq!(told(path, text), 0, "{path}: {text}");
    }
    let files = [("migrations/V1__a.sql", TABLE), ("migrations/V2__b.sql", "DROP INDEX CONCURRENTLY i;\n")];
    assert_eq!(findings_with(&["--runner", "flyway"], &files, "concurrently_waits_for_tool"), []);
}

#[test]
fn prisma_sends_a_file_that_it_can_not_take_apart_as_one_query() {
    let first = (
        "migrations/20260101000000_a/migration.sql",
        "CREATE TABLE orders (id bigint PRIMARY KEY);\nCREATE INDEX orders_id ON orders (id);\n",
    );
    let tool = ["--runner", "prisma-7.4"];
    let found = |text: &str, code: &str| {
        findings_with(&tool, &[first, ("migrations/20260102000000_b/migration.sql", text)], code)
    };
    let code = "concurrently_in_transaction";
    assert_eq!(found("DROP INDEX CONCURRENTLY orders_id;\n", code), []);
    let said = found("SET lock_timeout = '1s';\nDROP INDEX CONCURRENTLY orders_id;\n", code);
    assert!(said.len() == 1 && said[0].1.contains("sends the file as one query string"), "{said:?}");
    assert_eq!(
        found("SET lock_timeout = '1s';\nCREATE INDEX CONCURRENTLY orders_id2 ON orders (id);\n", code),
        []
    );
}

#[test]
fn what_stays_of_a_file_that_fails_half_way_is_told() {
    let files = [
        ("migrations/1_a.sql", TABLE),
        ("migrations/2_b.sql", &*format!("ALTER TABLE orders ADD COLUMN note text;\n{INDEX}")),
    ];
    // The pipeline is committed before the statement that can't be in it.
    let found = findings_with(&["--runner", "supabase"], &files, "not_rerunnable");
    assert_eq!(found.len(), 1, "{found:?}");
    // goose takes it all back, and says so.
    let goose = format!("-- +goose Up\n{}", files[1].1);
    let table = format!("-- +goose Up\n{TABLE}");
    let files = [("migrations/1_a.sql", &*table), ("migrations/2_b.sql", &*goose)];
    assert_eq!(findings(&files, "not_rerunnable"), []);
}

#[test]
fn another_folder_of_the_repository_may_make_what_is_missing() {
    let code = "relation_missing";
    let files = [
        (
            "migrations/00001_a.sql",
            "-- +goose Up\nCREATE TABLE keys (id bigint PRIMARY KEY, network bigint);\n",
        ),
        (
            "migrations/00002_b.sql",
            "-- +goose Up\nALTER TABLE keys ADD CONSTRAINT keys_network FOREIGN KEY (network) REFERENCES networks (id);\nDROP TABLE nowhere;\n",
        ),
        (".git/HEAD", ""),
        ("lib/migrations/00001_n.sql", "-- +goose Up\nCREATE TABLE networks (id bigint PRIMARY KEY);\n"),
    ];
    let found = findings(&files, code);
    assert!(found.len() == 1 && found[0].1.contains("nowhere"), "{found:?}");
    assert_eq!(findings(&files[..3], code).len(), 2);
}

#[test]
fn migrations_that_are_declared_to_be_for_another_database_are_left_alone() {
    let sql = "ALTER TABLE orders DROP COLUMN note;\n";
    for (declaration, text, migration) in [
        (
            "migrations/migration_lock.toml",
            "provider = \"sqlite\"\n",
            "migrations/20260101000000_a/migration.sql",
        ),
        (
            "migrations/migration_lock.toml",
            "provider = \"cockroachdb\"\n",
            "migrations/20260101000000_a/migration.sql",
        ),
        (
            "migrations/meta/_journal.json",
            r#"{"dialect": "sqlite", "entries": [{"tag": "0000_a"}]}"#,
            "migrations/0000_a.sql",
        ),
    ] {
        assert_eq!(findings(&[(migration, sql), (declaration, text)], "drop_column"), [], "{text}");
        let ours = text.replace("sqlite", "postgresql").replace("cockroachdb", "postgresql");
        assert_eq!(findings(&[(migration, sql), (declaration, &ours)], "drop_column").len(), 1, "{ours}");
    }
}
