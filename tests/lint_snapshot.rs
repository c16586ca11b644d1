//! `lint --snapshot`: sizes, time, who waits, what has run, and drift, on the shipped example's database.

mod program;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A copy of the shipped example, to which a test adds migrations.
struct Shop {
    directory: tempfile::TempDir,
}

impl Shop {
    fn new() -> Shop {
        let shop = Shop { directory: tempfile::tempdir().unwrap() };
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/shop");
        for file in [
            "0001_create_shop.up.sql",
            "0001_create_shop.down.sql",
            "0002_widen_note.up.sql",
            "0002_widen_note.down.sql",
        ] {
            shop.write(file, &std::fs::read_to_string(example.join("migrations").join(file)).unwrap());
        }
        std::fs::copy(example.join("schema.snapshot.json"), shop.path("schema.snapshot.json")).unwrap();
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, file: &str, sql: &str) {
        std::fs::create_dir_all(self.path("migrations")).unwrap();
        std::fs::write(self.path("migrations").join(file), sql).unwrap();
    }

    /// The JSON report of all migrations, and the notes.
    fn lint(&self, arguments: &[&str]) -> (Value, String) {
        let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .args(["lint", "--format", "json", "--snapshot", "schema.snapshot.json", "--all", "migrations"])
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let report =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
        (report, stderr)
    }

    fn edit_snapshot(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path("schema.snapshot.json");
        let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(&path, value.to_string()).unwrap();
    }
}

fn judged(report: &Value) -> Vec<&str> {
    report["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

fn messages(report: &Value, code: &str) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings.filter(|it| it["code"] == code).map(|it| it["message"].as_str().unwrap().to_owned()).collect()
}

const GUARD: &str = "SET lock_timeout = '2s';\n";

#[test]
fn what_has_run_is_history_by_the_ledger_or_by_the_schema() {
    let shop = Shop::new();
    shop.write("0003_more.up.sql", &format!("{GUARD}ALTER TABLE orders ADD COLUMN note text;"));
    for runner in ["golang-migrate", "psql"] {
        let (report, notes) = shop.lint(&["--runner", runner]);
        assert_eq!(judged(&report), ["migrations/0003_more.up.sql"], "{runner}: {notes}");
        assert!(messages(&report, "already_exists").is_empty());
        assert_eq!(report["postgres_version"], 17);
        let by_ledger =
            notes.contains("by public.schema_migrations in the snapshot 2 of 3 migrations have run");
        assert_eq!(by_ledger, runner == "golang-migrate", "{notes}");
        assert!(notes.contains("not judged: "), "{notes}");
    }
}

#[test]
fn a_rewrite_is_told_with_bytes_time_and_who_waits() {
    let shop = Shop::new();
    shop.write(
        "0003_cents.up.sql",
        &format!("{GUARD}ALTER TABLE orders ALTER COLUMN total TYPE bigint USING total * 100;"),
    );
    let (report, _) = shop.lint(&[]);
    let told = messages(&report, "column_type_rewrites").join(" ");
    assert!(
        told.ends_with(
            "; rewrites 38 GB (12,000,000 rows): about 6 min at 100 MB/s; blocks about 1,240 queries/s of 3 families on orders"
        ),
        "{report:#}"
    );
    let cost = &report["files"][0]["statements"][1]["cost"];
    assert_eq!((&cost["rows"], &cost["bytes"]), (&12_000_000.into(), &38_000_000_000_u64.into()));
    assert_eq!((&cost["seconds"], &cost["blocks"]), (&380.0.into(), &"reads and writes".into()));
    assert_eq!(
        (&cost["waiting"]["families"], &cost["waiting"]["queries_per_second"]),
        (&3.into(), &1240.0.into())
    );
    std::fs::write(shop.path("rollsafe.toml"), "[lint]\nthroughput = \"1GB\"\n").unwrap();
    let (report, _) = shop.lint(&[]);
    assert!(messages(&report, "column_type_rewrites").join(" ").contains("about 38 s at 1 GB/s"));
}

#[test]
fn writes_alone_wait_for_an_index() {
    let shop = Shop::new();
    shop.write("0003_index.up.sql", &format!("{GUARD}CREATE INDEX orders_total_idx ON orders (total);"));
    let (report, _) = shop.lint(&[]);
    let told = messages(&report, "create_index_blocks_writes").join(" ");
    assert!(told.contains("blocks about 20 queries/s of 1 query family on orders"), "{told}");
    // Before 14 nobody knows since when the calls were counted.
    shop.edit_snapshot(|snapshot| {
        for family in snapshot["queries"]["families"].as_array_mut().unwrap() {
            family.as_object_mut().unwrap().remove("calls_per_second");
        }
    });
    let (report, _) = shop.lint(&[]);
    let told = messages(&report, "create_index_blocks_writes").join(" ");
    assert!(told.contains("blocks the queries of 1 query family on orders"), "{told}");
}

#[test]
fn small_relations_go_quiet_or_down_and_are_counted() {
    let shop = Shop::new();
    shop.write(
        "0003_products.up.sql",
        &format!(
            "{GUARD}-- rollsafe: ignore column_type_rewrites -- the tables are large elsewhere\n\
             ALTER TABLE products ALTER COLUMN price TYPE bigint USING price * 100;\n\
             CREATE INDEX products_title_idx ON products (title);"
        ),
    );
    let (report, notes) = shop.lint(&[]);
    assert!(messages(&report, "create_index_blocks_writes").is_empty(), "{report:#}");
    assert!(messages(&report, "suppression_unused").is_empty(), "{report:#}");
    let quiet = report["summary"]["small"].as_u64().unwrap();
    assert!(quiet > 0);
    assert!(notes.contains(" not told: the relations have fewer than 10,000 rows and 10 MB"), "{notes}");
    std::fs::write(shop.path("rollsafe.toml"), "[lint]\nsmall-relations = \"lower\"\n").unwrap();
    let (report, notes) = shop.lint(&[]);
    let lowered =
        report["findings"].as_array().unwrap().iter().find(|it| it["code"] == "create_index_blocks_writes");
    assert_eq!(lowered.unwrap()["severity"], "warning");
    assert!(notes.contains("told a severity lower"), "{notes}");
    std::fs::write(shop.path("rollsafe.toml"), "[lint]\nsmall-rows = 100\n").unwrap();
    let (report, _) = shop.lint(&[]);
    assert_eq!(messages(&report, "create_index_blocks_writes").len(), 1);
    assert_eq!(report["summary"]["small"], 0);
}

#[test]
fn drift_is_told_once_for_each_difference() {
    let shop = Shop::new();
    shop.edit_snapshot(|snapshot| {
        let relations = snapshot["relations"].as_array_mut().unwrap();
        let orders = relations.iter_mut().find(|it| it["name"] == "orders").unwrap();
        let indexes = orders["indexes"].as_array_mut().unwrap();
        indexes.retain(|index| index["name"] != "orders_customer_id_idx");
        let customers = relations.iter_mut().find(|it| it["name"] == "customers").unwrap();
        customers["columns"][2]["type"] = "character varying(80)".into();
    });
    let (report, _) = shop.lint(&[]);
    let mut drift = messages(&report, "schema_drift");
    drift.sort();
    assert_eq!(
        drift,
        [
            "column customers.name is varchar(80) in the database; by the migrations it is text",
            "index orders_by_hand of orders is in the database only",
            "index orders_customer_id_idx of orders is missing from the database",
        ]
    );
}

#[test]
fn what_a_server_writes_otherwise_is_no_drift() {
    let shop = Shop::new();
    shop.write(
        "0003_words.up.sql",
        "ALTER TABLE orders ADD COLUMN fee numeric(80) DEFAULT NULL, ADD COLUMN note text DEFAULT 'a' || 'b',\n\
         ADD COLUMN \"by\" bigint CONSTRAINT orders_by REFERENCES customers ON UPDATE NO ACTION ON DELETE NO ACTION;",
    );
    shop.edit_snapshot(|snapshot| {
        let relations = snapshot["relations"].as_array_mut().unwrap();
        let orders = relations.iter_mut().find(|it| it["name"] == "orders").unwrap();
        let columns = orders["columns"].as_array_mut().unwrap();
        columns.push(serde_json::json!({"name": "fee", "type": "numeric(80,0)"}));
        columns.push(serde_json::json!({"name": "note", "type": "text", "default": "('a'::text || 'b'::text)"}));
        columns.push(serde_json::json!({"name": "by", "type": "bigint"}));
        orders["constraints"].as_array_mut().unwrap().push(serde_json::json!({
            "name": "orders_by", "kind": "foreign_key", "definition": "FOREIGN KEY (by) REFERENCES public.customers(id)"
        }));
    });
    let (report, notes) = shop.lint(&[]);
    assert_eq!(judged(&report), Vec::<&str>::new(), "{notes}");
    assert_eq!(messages(&report, "schema_drift"), ["index orders_by_hand of orders is in the database only"]);
}

#[test]
fn a_file_that_is_no_snapshot_is_named() {
    let shop = Shop::new();
    for content in ["", "{}", "[1]", "{\"schema_version\": 99}"] {
        std::fs::write(shop.path("schema.snapshot.json"), content).unwrap();
        let output = program::alone(env!("CARGO_BIN_EXE_rollsafe"))
            .args(["lint", "--snapshot", "schema.snapshot.json", "migrations"])
            .current_dir(shop.directory.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr.contains("schema.snapshot.json: "), "{stderr}");
    }
}
