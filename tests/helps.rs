//! The SQL that helps offer, run on a server: each statement does, and in the end there is what the help is for.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use postgres::{Client, NoTls};
use rollsafe::finding::Finding;
use rollsafe::migration::lint::{LintOptions, lint};
use rollsafe::migration::migration::Migration;
use rollsafe::migration::parse::parse;
use rollsafe::postgres::cluster::{NewDatabase, Options, SUPERUSER, ScratchCluster};

/// A situation: what is there, the statement that is judged, and what shall be true once the help has been followed.
struct Case<'a> {
    what: &'static str,
    code: &'static str,
    setup: &'a str,
    change: &'static str,
    /// What is put in place of `…`, in order.
    fill: &'static [&'static str],
    /// Queries that give true afterwards.
    then: &'static [&'static str],
    /// What the help may not say.
    never: &'static [&'static str],
}

const CASE: Case<'static> =
    Case { what: "", code: "", setup: "", change: "", fill: &[], then: &[], never: &[] };

/// Rows in a table of sub-partitions, in a schema of its own, with names that need quotes.
const TREE: &str = r#"CREATE SCHEMA "Shop";
CREATE TABLE "Shop"."Ref" (id bigint PRIMARY KEY);
CREATE TABLE "Shop".p (id bigint NOT NULL, k int NOT NULL, "B" bigint) PARTITION BY RANGE (k);
CREATE TABLE "Shop".p1 PARTITION OF "Shop".p FOR VALUES FROM (0) TO (10);
CREATE TABLE "Shop".p2 PARTITION OF "Shop".p FOR VALUES FROM (10) TO (30) PARTITION BY RANGE (k);
CREATE TABLE "Shop".p21 PARTITION OF "Shop".p2 FOR VALUES FROM (10) TO (20);
CREATE TABLE public.p22 PARTITION OF "Shop".p2 FOR VALUES FROM (20) TO (30);
INSERT INTO "Shop"."Ref" SELECT generate_series(0, 29);
INSERT INTO "Shop".p SELECT i, i, i FROM generate_series(0, 29) i;"#;

const INDEX_VALID: &str = r#"SELECT bool_and(indisvalid) AND count(*) = 2 FROM pg_index WHERE indrelid IN ('"Shop".p'::regclass, '"Shop".p2'::regclass)"#;

const CASES: &[Case<'static>] = &[
    Case {
        what: "a walk over a key of a domain that takes no NULL",
        code: "bulk_update",
        setup: "CREATE DOMAIN d AS text NOT NULL CHECK (length(VALUE) > 0);
            CREATE TABLE t (a d, b d, n int, PRIMARY KEY (a, b)); INSERT INTO t SELECT i, i, 0 FROM generate_series(1, 1500) i;",
        change: "UPDATE t SET n = n + 1;",
        then: &["SELECT bool_and(n = 1) AND count(*) = 1500 FROM t"],
        ..CASE
    },
    Case {
        what: "a column becomes one of a domain that takes no NULL",
        code: "column_type_rewrites",
        setup: "CREATE DOMAIN d AS text NOT NULL CHECK (length(VALUE) > 0);
            CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'y');",
        change: "ALTER TABLE t ALTER a TYPE d;",
        then: &[
            "SELECT array_agg(a_new ORDER BY id) = ARRAY['x', 'y'] FROM t",
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a_new'",
        ],
        ..CASE
    },
    Case {
        what: "a column whose type isn't known is renamed",
        code: "rename_column",
        setup: "CREATE TABLE t AS SELECT i AS id, max(i) AS m FROM generate_series(1, 3) i GROUP BY i; ALTER TABLE t ADD PRIMARY KEY (id);",
        change: "ALTER TABLE t RENAME m TO n;",
        fill: &["int"],
        then: &["SELECT array_agg(n ORDER BY id) = ARRAY[1, 2, 3] FROM t"],
        never: &["\"\""],
    },
    Case {
        what: "a cast that is written out takes the default along",
        code: "column_type_changed",
        setup: "CREATE TYPE mood AS ENUM ('ok', 'sad'); CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL DEFAULT 'ok'); INSERT INTO t VALUES (1, 'sad');",
        change: r#"ALTER TABLE t ALTER COLUMN "a" SET DATA TYPE "mood" USING ("a"::mood);"#,
        then: &[
            "SELECT a_new = 'sad' FROM t",
            "INSERT INTO t (id) VALUES (2) RETURNING a_new = 'ok'",
        ],
        ..CASE
    },
    Case {
        what: "a base type is named for a domain with a condition",
        code: "add_column_rewrites",
        setup: "CREATE DOMAIN d AS varchar(9) CHECK (VALUE <> ''); CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);",
        change: "ALTER TABLE t ADD COLUMN a d;",
        fill: &["a <> ''"],
        then: &["SELECT format_type(atttypid, atttypmod) = 'character varying(9)' FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'"],
        ..CASE
    },
    Case {
        what: "one domain in place of another over the same type",
        code: "column_type_changed",
        setup: "CREATE DOMAIN d AS text CHECK (length(VALUE) > 0); CREATE DOMAIN e AS text CHECK (length(VALUE) > 1);
            CREATE TABLE r (id d PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a d REFERENCES r ON DELETE CASCADE CHECK (a <> 'x'));
            INSERT INTO r VALUES ('xy'); INSERT INTO t VALUES (1, 'xy');",
        change: "ALTER TABLE t ALTER a TYPE e;",
        then: &[
            "SELECT atttypid = 'e'::regtype FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a_new'",
            "SELECT count(*) = 2 AND bool_and(convalidated) FROM pg_constraint WHERE conrelid = 't'::regclass AND contype IN ('f', 'c')",
        ],
        ..CASE
    },
    Case {
        what: "a new column of a domain that takes no NULL",
        code: "add_not_null_without_default",
        setup: "CREATE DOMAIN d AS text NOT NULL; CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x');",
        change: "ALTER TABLE t DROP COLUMN a, ADD COLUMN a d;",
        fill: &["'y'", "'y'"],
        then: &[
            "SELECT a_new = 'y' FROM t",
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a_new'",
        ],
        ..CASE
    },
    Case {
        what: "a DELETE behind WITH",
        code: "bulk_delete",
        setup: "CREATE TABLE t (id int PRIMARY KEY, k int); INSERT INTO t SELECT i, i % 500 FROM generate_series(1, 1500) i;",
        change: "WITH numbered AS (SELECT id, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM t), -- of a kind
                changed AS (SELECT id FROM numbered WHERE n > 1)
            DELETE FROM t WHERE id IN (SELECT id FROM changed);",
        then: &["SELECT count(*) = 500 AND max(id) = 500 FROM t"],
        ..CASE
    },
    Case {
        what: "an UPDATE behind WITH",
        code: "bulk_update",
        setup: "CREATE TABLE t (id int PRIMARY KEY, k int); INSERT INTO t SELECT i, i FROM generate_series(1, 1500) i;",
        change: "WITH done AS (SELECT id FROM t WHERE k > 1000) UPDATE t SET k = 0 WHERE t.id IN (SELECT done.id FROM done);",
        then: &["SELECT count(*) = 500 FROM t WHERE k = 0"],
        ..CASE
    },
    Case {
        what: "constraints of a name, of which one can't be deferred",
        code: "constraint_deferrability_changed",
        setup: "CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE t (a int CONSTRAINT fk REFERENCES r);
            CREATE TABLE u (a int CONSTRAINT fk REFERENCES r);",
        change: "ALTER TABLE t ALTER CONSTRAINT fk DEFERRABLE INITIALLY DEFERRED;",
        then: &["SELECT condeferrable AND NOT condeferred FROM pg_constraint WHERE conname = 'fk' AND conrelid = 't'::regclass"],
        ..CASE
    },
    Case {
        what: "a column of a primary key, which others refer to",
        code: "drop_column",
        setup: r#"CREATE TABLE t ("Id" text PRIMARY KEY, n int); CREATE TABLE c (t text CONSTRAINT c_t REFERENCES t); INSERT INTO t VALUES ('a', 1);"#,
        change: r#"ALTER TABLE t DROP COLUMN "Id" CASCADE;"#,
        then: &["SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 AND NOT attisdropped"],
        ..CASE
    },
    Case {
        what: "a foreign key of partitions beside the one that is to go",
        code: "drop_constraint",
        setup: "CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE p (a int CONSTRAINT fk REFERENCES r DEFERRABLE) PARTITION BY RANGE (a);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10); INSERT INTO r VALUES (1); INSERT INTO p VALUES (1);",
        change: "ALTER TABLE p DROP CONSTRAINT fk;",
        then: &["SELECT count(*) = 2 AND bool_and(convalidated AND condeferrable) FROM pg_constraint WHERE conname LIKE 'fk_new%' AND conparentid IN (0, (SELECT oid FROM pg_constraint WHERE conname = 'fk_new' AND conrelid = 'p'::regclass))"],
        ..CASE
    },
    Case {
        what: "one row of a table",
        code: "unique_added",
        setup: "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x');",
        change: "CREATE UNIQUE INDEX one ON t ((true), lower(b));",
        then: &["SELECT count(*) = 1 FROM t"],
        ..CASE
    },
    Case {
        what: "NOT NULL in one statement with a foreign key that goes",
        code: "set_not_null_scans",
        setup: "CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE t (a int CONSTRAINT fk REFERENCES r); INSERT INTO r VALUES (1); INSERT INTO t VALUES (1);",
        change: "ALTER TABLE t ALTER a SET NOT NULL, DROP CONSTRAINT fk;",
        then: &["SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'"],
        never: &["proves nothing"],
        ..CASE
    },
    Case {
        what: "an index over sub-partitions",
        code: "create_index_on_partitioned_table",
        setup: TREE,
        change: r#"CREATE INDEX ON "Shop".p ("B");"#,
        then: &[INDEX_VALID],
        ..CASE
    },
    Case {
        what: "a partition's own index has the name that PostgreSQL would choose",
        code: "create_index_on_partitioned_table",
        setup: "CREATE TABLE p (b int, c int) PARTITION BY RANGE (b);
            CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
            CREATE INDEX p1_b_idx ON p1 (c);",
        change: "CREATE INDEX pi ON p (b);",
        then: &[
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'pi'::regclass",
            "SELECT pg_get_indexdef('p1_b_idx'::regclass) LIKE '%(c)'",
        ],
        ..CASE
    },
    Case {
        what: "uniqueness over sub-partitions",
        code: "add_unique_builds_index",
        setup: TREE,
        change: r#"ALTER TABLE "Shop".p ADD UNIQUE (k, "B");"#,
        then: &[INDEX_VALID],
        ..CASE
    },
    Case {
        what: "a primary key in the place of another",
        code: "add_primary_key_builds_index",
        setup: r#"CREATE TABLE "T" (a int NOT NULL, b int NOT NULL, CONSTRAINT "T_pkey" PRIMARY KEY (a)); INSERT INTO "T" VALUES (1, 1);"#,
        change: r#"ALTER TABLE "T" DROP CONSTRAINT "T_pkey", ADD CONSTRAINT "T_pkey" PRIMARY KEY (a, b);"#,
        then: &[
            r#"SELECT pg_get_constraintdef(oid) = 'PRIMARY KEY (a, b)' FROM pg_constraint WHERE conname = 'T_pkey'"#,
        ],
        ..CASE
    },
    Case {
        what: "a primary key without a name in the place of another",
        code: "add_primary_key_builds_index",
        setup: "CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL); INSERT INTO t VALUES (1, 1);",
        change: "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (a, b);",
        then: &["SELECT pg_get_constraintdef(oid) = 'PRIMARY KEY (a, b)' FROM pg_constraint WHERE conname = 't_pkey'"],
        ..CASE
    },
    Case {
        what: "uniqueness in the place of another of the name",
        code: "add_unique_builds_index",
        setup: "CREATE TABLE t (a int, b int, CONSTRAINT t_uq UNIQUE (a)); INSERT INTO t VALUES (1, 1);",
        change: "ALTER TABLE t DROP CONSTRAINT t_uq, ADD CONSTRAINT t_uq UNIQUE (a, b);",
        then: &["SELECT pg_get_constraintdef(oid) = 'UNIQUE (a, b)' FROM pg_constraint WHERE conname = 't_uq'"],
        ..CASE
    },
    Case {
        what: "a primary key in the place of one that an earlier statement drops",
        code: "add_primary_key_builds_index",
        setup: r#"CREATE TABLE "T" (a int NOT NULL, b int NOT NULL, CONSTRAINT "T_pkey" PRIMARY KEY (a)); INSERT INTO "T" VALUES (1, 1);"#,
        change: r#"ALTER TABLE "T" DROP CONSTRAINT "T_pkey"; ALTER TABLE "T" ADD PRIMARY KEY (a, b);"#,
        then: &[
            r#"SELECT pg_get_constraintdef(oid) = 'PRIMARY KEY (a, b)' FROM pg_constraint WHERE conname = 'T_pkey'"#,
        ],
        ..CASE
    },
    Case {
        what: "a primary key in the place of one of another name, which foreign keys need, that an earlier statement drops",
        code: "add_primary_key_builds_index",
        setup: "CREATE TABLE t (a int, b int NOT NULL, CONSTRAINT pk_old PRIMARY KEY (a)); INSERT INTO t VALUES (1, 1);
            CREATE TABLE r (t int CONSTRAINT fk REFERENCES t);",
        change: "ALTER TABLE t DROP CONSTRAINT pk_old CASCADE; CREATE INDEX ON t (a); ALTER TABLE t ALTER b SET DEFAULT 1;
            ALTER TABLE t ADD CONSTRAINT pk_new PRIMARY KEY (b);",
        then: &[
            "SELECT count(*) = 1 AND min(conname) = 'pk_new' FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'p'",
            "SELECT count(*) = 0 FROM pg_constraint WHERE conname = 'fk'",
        ],
        ..CASE
    },
    Case {
        what: "uniqueness in the place of the same, without a name, that an earlier statement drops",
        code: "add_unique_builds_index",
        setup: "CREATE TABLE t (a int UNIQUE, b int); INSERT INTO t VALUES (1, 1);",
        change: "ALTER TABLE t DROP CONSTRAINT t_a_key; ALTER TABLE t ADD UNIQUE (a) DEFERRABLE;",
        then: &["SELECT count(*) = 1 AND bool_and(condeferrable) AND min(conname) = 't_a_key' FROM pg_constraint WHERE conrelid = 't'::regclass"],
        ..CASE
    },
    Case {
        what: "a foreign key over two columns beside the one that is to go, under a name that needs quotes",
        code: "drop_constraint",
        setup: r#"CREATE TABLE u (id int PRIMARY KEY, a int, b int, UNIQUE (a, b));
            CREATE TABLE t (a int, b int, CONSTRAINT "T_fkey" FOREIGN KEY (a, b) REFERENCES u (a, b) ON DELETE CASCADE);
            INSERT INTO u VALUES (1, 1, 1); INSERT INTO t VALUES (1, 1);"#,
        change: r#"ALTER TABLE t DROP CONSTRAINT "T_fkey";"#,
        then: &[
            "SELECT pg_get_constraintdef(oid) = 'FOREIGN KEY (a, b) REFERENCES u(a, b) ON DELETE CASCADE' AND convalidated FROM pg_constraint WHERE conname = 'T_fkey_new'",
        ],
        ..CASE
    },
    Case {
        what: "a column with a foreign key, and comments in between",
        code: "add_foreign_key_validates",
        setup: "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int); INSERT INTO u VALUES (1); INSERT INTO t VALUES (1);",
        change: "ALTER TABLE t ADD COLUMN b int DEFAULT 1 -- the first
                CONSTRAINT t_b REFERENCES u (id) -- of them
                NOT NULL;",
        then: &["SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'b'"],
        ..CASE
    },
    Case {
        what: "uniqueness under a name that another index has, with settings",
        code: "add_unique_builds_index",
        setup: "CREATE TABLE t (a int, b int); CREATE INDEX t_a_key ON t (b); INSERT INTO t VALUES (1, 1);",
        change: "ALTER TABLE t ADD UNIQUE (a) WITH (fillfactor = 70);",
        then: &[
            "SELECT pg_get_indexdef('t_a_key'::regclass) LIKE '%(b)'",
            "SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'u'",
            "SELECT reloptions::text = '{fillfactor=70}' FROM pg_class WHERE relname = 't_a_key1'",
        ],
        ..CASE
    },
    Case {
        what: "a foreign key on partitions",
        code: "add_foreign_key_validates",
        setup: TREE,
        change: r#"ALTER TABLE "Shop".p ADD FOREIGN KEY ("B") REFERENCES "Shop"."Ref";"#,
        then: &[r#"SELECT bool_and(convalidated) AND count(*) = 5 FROM pg_constraint WHERE contype = 'f'
            AND confrelid = '"Shop"."Ref"'::regclass"#],
        never: &["ALTER TABLE partition"],
        ..CASE
    },
    Case {
        what: "the index of a foreign key on partitions",
        code: "foreign_key_without_index",
        setup: TREE,
        change: r#"ALTER TABLE "Shop".p ADD FOREIGN KEY ("B") REFERENCES "Shop"."Ref";"#,
        then: &[INDEX_VALID],
        ..CASE
    },
    Case {
        what: "a list with NULL is attached without a scan",
        code: "attach_partition_scans",
        setup: "CREATE TABLE p (a text, b int) PARTITION BY LIST (a); CREATE INDEX ON p (b);
            CREATE TABLE n (a text, b int); INSERT INTO n VALUES ('x', 1), (NULL, 2);",
        change: "ALTER TABLE p ATTACH PARTITION n FOR VALUES IN ('x', NULL);",
        then: &["SELECT count(*) = 2 FROM p", "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 'n'::regclass"],
        ..CASE
    },
    Case {
        what: "a range over a column that can be NULL is attached without a scan, the default partition too",
        code: "attach_partition_scans",
        setup: "CREATE TABLE p (a int, b int) PARTITION BY RANGE (a); CREATE TABLE d PARTITION OF p DEFAULT;
            CREATE TABLE n (a int, b int); INSERT INTO n VALUES (12, 1); INSERT INTO p VALUES (NULL, 1), (5, 1);",
        change: "ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (10) TO (20);",
        then: &["SELECT count(*) = 3 FROM p"],
        ..CASE
    },
    Case {
        what: "a primary key of the parent is built beforehand",
        code: "attach_partition_scans",
        setup: "CREATE TABLE p (a int, b int, PRIMARY KEY (b, a)) PARTITION BY RANGE (a);
            CREATE TABLE n (a int NOT NULL, b int NOT NULL); INSERT INTO n VALUES (12, 1);",
        change: "ALTER TABLE p ATTACH PARTITION n FOR VALUES FROM (10) TO (20);",
        then: &[
            "SELECT count(*) = 1 FROM pg_index WHERE indrelid = 'n'::regclass",
            "SELECT count(*) = 1 FROM pg_inherits WHERE inhrelid = 'n_pkey'::regclass",
        ],
        ..CASE
    },
    Case {
        what: "a partition that is partitioned, with columns of its own and generated ones",
        code: "create_partition_locks_parent",
        setup: "CREATE TABLE p (a int NOT NULL, b int, g int GENERATED ALWAYS AS (a * 2) STORED, c text) PARTITION BY RANGE (a);
            CREATE TABLE d PARTITION OF p DEFAULT; INSERT INTO p (a) VALUES (1);",
        change: "CREATE TABLE n PARTITION OF p (b DEFAULT 5 NOT NULL, CONSTRAINT c_short CHECK (length(c) < 9))
            FOR VALUES FROM (10) TO (20) PARTITION BY LIST (b);",
        then: &[
            "SELECT relkind = 'p' AND relispartition FROM pg_class WHERE relname = 'n'",
            "SELECT pg_get_expr(adbin, adrelid) = '5' FROM pg_attrdef WHERE adrelid = 'n'::regclass AND adnum = 2",
            "SELECT attgenerated = 's' FROM pg_attribute WHERE attrelid = 'n'::regclass AND attname = 'g'",
            "SELECT count(*) = 1 FROM pg_constraint WHERE conname = 'c_short'",
        ],
        never: &["…"],
        ..CASE
    },
    Case {
        what: "an UPDATE under another name, with columns that are called like variables",
        code: "bulk_update",
        setup: "CREATE TABLE t (id int PRIMARY KEY, a int, b int, done int, changed int);
            INSERT INTO t SELECT i, i, 2 * i, 0, 0 FROM generate_series(1, 1500) i;",
        change: "UPDATE t AS o SET a = o.b, done = 1 WHERE o.a > 0 AND o.changed = 0 AND done = 0;",
        then: &["SELECT bool_and(a = b AND done = 1) FROM t"],
        ..CASE
    },
    Case {
        what: "an UPDATE of a table whose key has two columns",
        code: "bulk_update",
        setup: r#"CREATE TABLE t (x int, "Y" text, a int, PRIMARY KEY (x, "Y"));
            INSERT INTO t SELECT i % 7, i, 0 FROM generate_series(1, 2500) i;"#,
        change: "UPDATE t SET a = a + 1;",
        then: &["SELECT bool_and(a = 1) AND count(*) = 2500 FROM t"],
        ..CASE
    },
    Case {
        what: "a DELETE under another name",
        code: "bulk_delete",
        setup: "CREATE TABLE t (id int PRIMARY KEY, changed int); INSERT INTO t SELECT i, i % 2 FROM generate_series(1, 1500) i;",
        change: "DELETE FROM t AS x WHERE x.changed = 1;",
        then: &["SELECT count(*) = 750 FROM t"],
        ..CASE
    },
    Case {
        what: "a DELETE from partitions without a key takes no row that it isn't meant for",
        code: "bulk_delete",
        setup: "CREATE TABLE t (a int, keep boolean) PARTITION BY LIST (a);
            CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);
            INSERT INTO t VALUES (1, false), (2, true);",
        change: "DELETE FROM t WHERE NOT keep;",
        then: &["SELECT count(*) = 1 FROM t"],
        ..CASE
    },
    Case {
        what: "a type change whose new value can be NULL",
        code: "column_type_changed",
        setup: "CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT ''); INSERT INTO t VALUES (1, ''), (2, '5'), (3, NULL);",
        change: "ALTER TABLE t ALTER v TYPE int USING nullif(v, '')::int;",
        then: &["SELECT array_agg(v_new ORDER BY id) = ARRAY[NULL, 5, NULL] FROM t"],
        ..CASE
    },
    Case {
        what: "the same without a key",
        code: "column_type_rewrites",
        setup: "CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, ''), (2, '5'), (3, NULL);",
        change: "ALTER TABLE t ALTER v TYPE int USING nullif(v, '')::int;",
        then: &["SELECT array_agg(v_new ORDER BY id) = ARRAY[NULL, 5, NULL] FROM t"],
        ..CASE
    },
    Case {
        what: "a column with all that a column can have is renamed",
        code: "rename_column",
        setup: r#"CREATE SCHEMA s;
            CREATE TABLE s.r (code text PRIMARY KEY);
            CREATE TABLE s.t (id int PRIMARY KEY, "Code" text COLLATE "C" NOT NULL UNIQUE REFERENCES s.r ON DELETE CASCADE,
                n int, CHECK (length("Code") < 9 AND "Code" <> 'Code'), UNIQUE (n, "Code"));
            CREATE INDEX t_lower ON s.t (lower("Code") DESC) WHERE "Code" <> '';
            CREATE TABLE s.child (code text REFERENCES s.t ("Code"));
            CREATE VIEW s.v AS SELECT id, "Code" FROM s.t;
            INSERT INTO s.r VALUES ('a'), ('b'); INSERT INTO s.t VALUES (1, 'a'), (2, 'b'); INSERT INTO s.child VALUES ('a');"#,
        change: r#"ALTER TABLE s.t RENAME "Code" TO code;"#,
        fill: &[r#"SELECT id, code AS "Code" FROM s.t"#],
        then: &[
            "SELECT array_agg(code ORDER BY id) = ARRAY['a', 'b'] FROM s.t",
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = 's.t'::regclass AND attname = 'code'",
            "SELECT count(*) = 4 FROM pg_index WHERE indrelid = 's.t'::regclass AND indisvalid",
            "SELECT string_agg(contype::text, '' ORDER BY contype) = 'cfpuu' FROM pg_constraint WHERE conrelid = 's.t'::regclass AND contype <> 'n'",
            "SELECT convalidated AND confrelid = 's.t'::regclass FROM pg_constraint WHERE conrelid = 's.child'::regclass",
            "SELECT count(*) = 0 FROM pg_attribute WHERE attrelid = 's.t'::regclass AND attname = 'Code'",
            "SELECT count(*) = 2 FROM s.v",
        ],
        ..CASE
    },
    Case {
        what: "a serial key that others refer to becomes larger",
        code: "column_type_rewrites",
        setup: "CREATE TABLE t (id serial PRIMARY KEY, n int); CREATE TABLE c (t_id int REFERENCES t ON DELETE SET NULL);
            INSERT INTO t (n) SELECT generate_series(1, 3); INSERT INTO c VALUES (2);",
        change: "ALTER TABLE t ALTER id TYPE bigint;",
        then: &[
            "INSERT INTO t (n) VALUES (4) RETURNING id_new = 4",
            "SELECT atttypid = 'bigint'::regtype FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'id_new'",
            "SELECT conname = 't_pkey' FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'p'",
            "SELECT convalidated AND confdeltype = 'n' FROM pg_constraint WHERE conrelid = 'c'::regclass",
        ],
        ..CASE
    },
    Case {
        what: "an index that a type change builds anew is made again as it was, where it was",
        code: "column_type_rebuilds_indexes",
        setup: "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, uid varchar(10), n int); INSERT INTO s.t VALUES (1, 'a', 2);
            CREATE UNIQUE INDEX t_uid ON s.t USING btree (n, uid DESC) WHERE (uid IS NOT NULL);",
        change: r#"ALTER TABLE s.t ALTER uid TYPE varchar(20) COLLATE "C";"#,
        then: &[
            "SELECT indisunique AND indisvalid FROM pg_index WHERE indexrelid = 's.t_uid'::regclass",
            "SELECT pg_get_indexdef('s.t_uid'::regclass) LIKE '%(n, uid DESC) WHERE (uid IS NOT NULL)'",
            r#"SELECT attcollation = '"C"'::regcollation FROM pg_attribute WHERE attrelid = 's.t'::regclass AND attname = 'uid'"#,
        ],
        never: &["…"],
        ..CASE
    },
    Case {
        what: "a default that the statement changes as well is the one that the new column gets",
        code: "column_type_rewrites",
        setup: "CREATE TABLE t (id int PRIMARY KEY, rank int NOT NULL DEFAULT 1728); INSERT INTO t VALUES (1, 5);",
        change: "ALTER TABLE t ALTER rank DROP DEFAULT, ALTER rank TYPE float8, ALTER rank SET DEFAULT 0.1728;",
        then: &["INSERT INTO t (id) VALUES (2) RETURNING rank_new = 0.1728", "SELECT rank_new = 5 FROM t WHERE id = 1"],
        never: &["1728)::"],
        ..CASE
    },
    Case {
        what: "a number that the server draws becomes a text that it doesn't",
        code: "column_type_rewrites",
        setup: "CREATE TABLE t (id int PRIMARY KEY, code serial); INSERT INTO t (id) VALUES (1), (2);",
        change: "ALTER TABLE t ALTER code DROP DEFAULT, ALTER code TYPE text;",
        then: &[
            "SELECT string_agg(code_new, ',' ORDER BY id) = '1,2' FROM t",
            "SELECT NOT atthasdef FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'code_new'",
        ],
        ..CASE
    },
    Case {
        what: "a serial key as pg_dump writes it becomes larger",
        code: "column_type_rewrites",
        setup: "CREATE TABLE t (id int NOT NULL, n int); CREATE SEQUENCE t_id_seq AS integer; ALTER SEQUENCE t_id_seq OWNED BY t.id;
            ALTER TABLE ONLY t ALTER COLUMN id SET DEFAULT nextval('t_id_seq'::regclass); ALTER TABLE ONLY t ADD CONSTRAINT t_pkey PRIMARY KEY (id);
            INSERT INTO t (n) SELECT generate_series(1, 3);",
        change: "ALTER TABLE t ALTER id TYPE bigint;",
        then: &[
            "INSERT INTO t (n) VALUES (4) RETURNING id_new = 4",
            "SELECT pg_get_serial_sequence('t', 'id_new') = 'public.t_id_seq'",
            "SELECT seqtypid = 'bigint'::regtype FROM pg_sequence WHERE seqrelid = 't_id_seq'::regclass",
        ],
        ..CASE
    },
    Case {
        what: "a column whose values the server draws is renamed, and each row has one value",
        code: "rename_column",
        setup: "CREATE SEQUENCE numbers; CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL DEFAULT 'A' || nextval('numbers'));
            INSERT INTO t (id) VALUES (1), (2);",
        change: "ALTER TABLE t RENAME code TO number;",
        then: &[
            "SELECT string_agg(number, ',' ORDER BY id) = 'A1,A2' FROM t",
            "INSERT INTO t (id) VALUES (3) RETURNING number = 'A3'",
        ],
        never: &["SET DEFAULT nextval"],
        ..CASE
    },
    Case {
        what: "an identity column from which another is computed is renamed",
        code: "rename_column",
        setup: r#"CREATE TABLE "T" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int,
                twice int GENERATED ALWAYS AS (id * 2) STORED);
            INSERT INTO "T" (n) VALUES (1), (2);"#,
        change: r#"ALTER TABLE "T" RENAME id TO "Number";"#,
        then: &[
            r#"INSERT INTO "T" (n) VALUES (3) RETURNING "Number" = 3 AND twice = 6"#,
            r#"SELECT attidentity = 'a' FROM pg_attribute WHERE attrelid = '"T"'::regclass AND attname = 'Number'"#,
        ],
        ..CASE
    },
    Case {
        what: "a computed column is renamed",
        code: "rename_column",
        setup: "CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED); INSERT INTO t VALUES (1);",
        change: "ALTER TABLE t RENAME g TO h;",
        then: &["SELECT h = 2 FROM t"],
        ..CASE
    },
    Case {
        what: "add, copy and drop in one release keep the type and the value as written",
        code: "expand_and_contract_together",
        setup: "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 7);",
        change: "ALTER TABLE t ADD COLUMN c text; UPDATE t SET c = a::text || '!'; ALTER TABLE t DROP COLUMN a;",
        then: &["SELECT c = '7!' FROM t"],
        never: &["…"],
        ..CASE
    },
    Case {
        what: "serial in another schema",
        code: "add_column_rewrites",
        setup: r#"CREATE SCHEMA "S"; CREATE TABLE "S".t (id int PRIMARY KEY); INSERT INTO "S".t VALUES (1), (2);"#,
        change: r#"ALTER TABLE "S".t ADD COLUMN n bigserial;"#,
        then: &[
            r#"INSERT INTO "S".t (id) VALUES (3) RETURNING n = 3"#,
            r#"SELECT pg_get_serial_sequence('"S".t', 'n') = '"S".t_n_seq'"#,
            r#"SELECT attnotnull FROM pg_attribute WHERE attrelid = '"S".t'::regclass AND attname = 'n'"#,
        ],
        ..CASE
    },
    Case {
        what: "an identity column stays one",
        code: "add_column_rewrites",
        setup: "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); INSERT INTO s.t VALUES (1), (2);",
        change: "ALTER TABLE s.t ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY 10);",
        then: &[
            "INSERT INTO s.t (id) VALUES (3) RETURNING n = 12",
            "SELECT attidentity = 'a' FROM pg_attribute WHERE attrelid = 's.t'::regclass AND attname = 'n'",
        ],
        ..CASE
    },
    Case {
        what: "a unique column with another value in each row",
        code: "add_column_rewrites",
        setup: "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);",
        change: "ALTER TABLE t ADD COLUMN u uuid NOT NULL UNIQUE DEFAULT gen_random_uuid();",
        then: &[
            "SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'u'",
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'u'",
        ],
        ..CASE
    },
    Case {
        what: "NOT NULL where the constraint's name is taken",
        code: "set_not_null_scans",
        setup: "CREATE TABLE t (a int, b int, CONSTRAINT t_a_not_null CHECK (b > 0)); INSERT INTO t VALUES (1, 1);",
        change: "ALTER TABLE t ALTER a SET NOT NULL;",
        then: &[
            "SELECT attnotnull FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'a'",
            "SELECT count(*) = 1 FROM pg_constraint WHERE conrelid = 't'::regclass AND conname = 't_a_not_null'",
        ],
        ..CASE
    },
    Case {
        what: "one of several functions of a name",
        code: "security_definer_without_search_path",
        setup: "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';",
        change: "CREATE FUNCTION f(a double precision, VARIADIC b text[]) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
        then: &["SELECT proconfig IS NOT NULL FROM pg_proc WHERE proname = 'f' AND prosecdef"],
        ..CASE
    },
    Case {
        what: "an index that a foreign key hangs on",
        code: "drop_index_blocks",
        setup: "CREATE TABLE c (id int); CREATE UNIQUE INDEX c_id ON c (id);
            CREATE TABLE a (c_id int, CONSTRAINT a_fk FOREIGN KEY (c_id) REFERENCES c (id));",
        change: "DROP INDEX c_id CASCADE;",
        then: &["SELECT to_regclass('c_id') IS NULL"],
        ..CASE
    },
];

/// What the linter finds.
fn findings(case: &Case<'_>) -> Vec<Finding> {
    let migration = |name: &str, sql: &str| {
        let mut migration = Migration::whole(PathBuf::from(name), sql.into());
        migration.runner_known = true;
        migration
    };
    let (mut empty, mut setup) = (migration("0.sql", ""), migration("1.sql", case.setup));
    (empty.judged, setup.judged) = (false, false);
    let mut options = LintOptions::default();
    (options.rules.version, options.rules.version_is_known) = (15, true);
    lint(&[empty, setup, migration("2.sql", case.change)], &options).findings
}

/// The help for the finding of a code.
fn help(case: &Case<'_>) -> Result<String, String> {
    let findings = findings(case);
    let found = findings.iter().find(|finding| finding.code == case.code);
    found
        .and_then(|finding| Some(finding.help.as_deref()?.to_owned()))
        .ok_or_else(|| format!("no help in {findings:?}"))
}

/// Runs a text statement by statement; what the server says of it.
fn run(client: &mut Client, sql: &str) -> Result<(), String> {
    parse(sql, 0..sql.len()).statements.iter().try_for_each(|statement| {
        let sql = statement.span.of(sql);
        client.batch_execute(sql).map_err(|e| {
            format!(
                "{}\n    {sql}",
                e.as_db_error().map_or_else(|| e.to_string(), |e| e.message().to_owned())
            )
        })
    })
}

/// What goes wrong with a case.
fn follow(cluster: &ScratchCluster, database: &str, case: &Case<'_>) -> Result<(), String> {
    cluster
        .create_database(&NewDatabase { name: database, ..NewDatabase::default() })
        .map_err(|e| e.to_string())?;
    let notices = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&notices);
    let mut client = cluster
        .config(SUPERUSER, database)
        .options("-c statement_timeout=20s -c client_min_messages=debug1")
        .notice_callback(move |notice| heard.lock().expect("no panic").push(notice.message().to_owned()))
        .connect(NoTls)
        .map_err(|e| e.to_string())?;
    run(&mut client, case.setup)?;
    let mut sql = help(case)?;
    if let Some(word) = case.never.iter().find(|word| sql.contains(**word)) {
        return Err(format!("says {word}:\n{sql}"));
    }
    if matches!(case.code, "security_definer_without_search_path" | "foreign_key_without_index") {
        run(&mut client, case.change)?;
    }
    for text in case.fill {
        sql = sql.replacen('…', text, 1);
    }
    notices.lock().expect("no panic").clear();
    run(&mut client, &sql).map_err(|e| format!("{e}\n{sql}"))?;
    // PostgreSQL says that it needs no scan ("implied by existing constraints").
    let implied =
        notices.lock().expect("no panic").iter().filter(|said| said.contains("is implied by")).count();
    let proofs = sql.matches("_check CHECK (").count();
    if case.code == "attach_partition_scans" && implied < proofs {
        return Err(format!("{implied} of {proofs} proofs were of use:\n{sql}"));
    }
    for query in case.then {
        let holds = client.query(*query, &[]).map_err(|e| format!("{query}: {e:?}"))?;
        if !matches!(holds.as_slice(), [row] if row.get::<_, Option<bool>>(0) == Some(true)) {
            return Err(format!("not so: {query}\n{sql}"));
        }
    }
    Ok(())
}

#[test]
fn what_helps_offer_runs_and_does_what_it_is_for() {
    let cluster = ScratchCluster::start(&Options::default()).expect("a scratch cluster");
    let only = std::env::var("HELPS_ONLY").unwrap_or_default();
    let failures: Vec<String> = CASES
        .iter()
        .enumerate()
        .filter(|(_, case)| case.what.contains(&only))
        .filter_map(|(number, case)| {
            let failed = follow(&cluster, &format!("help_{number}"), case).err()?;
            Some(format!("{} ({}): {failed}", case.what, case.code))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), CASES.len(), failures.join("\n\n"));
}

#[test]
fn types_are_written_as_postgresql_writes_them() {
    // What format_type gives of each on 17 and 18.
    for (written, shown) in
        [("json", "json"), ("\"char\"", "\"char\""), ("jsonb[]", "jsonb[]"), ("INT", "integer")]
    {
        let setup = format!("CREATE TABLE t (id int PRIMARY KEY, a {written});");
        let case = Case { setup: &setup, change: "ALTER TABLE t ALTER a TYPE inet USING NULL;", ..CASE };
        let found = findings(&case);
        let said =
            found.iter().find(|finding| finding.code == "column_type_changed").map(|found| &found.message);
        let wanted = format!("takes t.a for {shown}: as inet");
        assert!(said.is_some_and(|said| said.contains(&wanted)), "{wanted}: {found:?}");
    }
}

/// What names a variable of the block around it can't be pasted without that.
#[test]
fn a_change_that_names_variables_is_no_loop_of_its_own() {
    let setup =
        "CREATE TABLE t (id bigint PRIMARY KEY, a timestamptz, n int); INSERT INTO t VALUES (1, now(), 1);";
    let helps = |change: &'static str| {
        let found = findings(&Case { setup, change, ..CASE });
        let helps: Vec<String> = found
            .into_iter()
            .filter(|finding| matches!(finding.code.as_ref(), "bulk_update" | "bulk_delete"))
            .filter_map(|finding| Some(finding.help?.to_string()))
            .collect();
        assert_eq!(helps.len(), 1, "{change}: {helps:?}");
        helps.concat()
    };
    for change in [
        "DO $$ DECLARE oldest timestamptz; BEGIN SELECT min(a) INTO oldest FROM t; DELETE FROM t WHERE a > oldest; END $$;",
        "DO $$ DECLARE v int := 2; BEGIN UPDATE t SET n = v; END $$;",
        "CREATE FUNCTION f(\"When\" timestamptz) RETURNS void LANGUAGE sql AS $$ DELETE FROM t WHERE a > \"When\" $$; SELECT f(now());",
        "WITH gone AS (DELETE FROM t WHERE n > 1 RETURNING id) SELECT count(*) FROM gone;",
    ] {
        assert!(!helps(change).contains("DO $"), "{change}");
    }
    for change in [
        "DO $$ DECLARE v int := 2; BEGIN UPDATE t SET n = t.n; END $$;",
        "DO $$ BEGIN DELETE FROM t WHERE a > now() - '1 d'::interval; END $$;",
    ] {
        assert!(helps(change).contains("DO $"), "{change}");
    }
}

/// A column whose NOT NULL is a domain's: what its help begins with lets inserts leave it out, and writes no row anew.
#[test]
fn a_column_is_freed_of_a_domain_that_takes_no_null() {
    let cluster = ScratchCluster::start(&Options::default()).expect("a scratch cluster");
    let bases = [
        ("varchar(10)", "''"),
        ("varchar(10) CHECK (VALUE <> 'x')", "''"),
        ("numeric(10, 2)", "1"),
        ("char(3)", "'a'"),
        ("char", "'a'"),
        ("bit(3)", "'101'"),
        ("timestamptz(3)", "now()"),
        ("interval day to second(2)", "'1 d'"),
        ("int[]", "'{1}'"),
        ("\"Inner\"", "1"),
    ];
    for (number, (base, value)) in bases.into_iter().enumerate() {
        let name = format!("domain_{number}");
        cluster.create_database(&NewDatabase { name: &name, ..NewDatabase::default() }).expect("a database");
        let setup = format!(
            "CREATE DOMAIN \"Inner\" AS int; CREATE DOMAIN d AS {base} NOT NULL; CREATE TABLE t (id int, \"A\" d NOT NULL);
             CREATE TABLE u (id int, \"A\" d DEFAULT {value});"
        );
        let change = "ALTER TABLE t DROP COLUMN \"A\"; ALTER TABLE u DROP COLUMN \"A\";";
        let case = Case { code: "drop_column", setup: &setup, change, ..CASE };
        let found = findings(&case);
        let helps: Vec<&str> = found
            .iter()
            .filter(|finding| finding.code == "drop_column")
            .filter_map(|finding| finding.help.as_deref())
            .collect();
        let [of_t, of_u] = helps.as_slice() else { panic!("{found:?}") };
        // One that has a DEFAULT needs nothing.
        assert!(!of_u.contains(" TYPE "), "{of_u}");
        let (freed, _) = of_t.split_once("\n\n").expect("a first stage");
        let mut client = cluster.connect(SUPERUSER, &name).expect("a connection");
        client.batch_execute(&setup).expect(base);
        client.batch_execute(&format!("INSERT INTO t VALUES (1, {value})")).expect(base);
        let file = "SELECT pg_relation_filenode('t')::text";
        let before: String = client.query_one(file, &[]).expect(base).get(0);
        client.batch_execute(freed).unwrap_or_else(|e| panic!("{base}: {e:?}\n{freed}"));
        let after: String = client.query_one(file, &[]).expect(base).get(0);
        assert_eq!(before, after, "{base}: written anew by\n{freed}");
        client.batch_execute("INSERT INTO t VALUES (2)").unwrap_or_else(|e| panic!("{base}: {e:?}\n{freed}"));
    }
}

#[test]
fn a_parameter_of_a_called_function_means_one_value() {
    let bulk = |change: &'static str| {
        let case = Case { setup: "CREATE TABLE t (id bigint PRIMARY KEY, a boolean);", change, ..CASE };
        findings(&case).iter().any(|finding| matches!(finding.code.as_ref(), "bulk_update" | "bulk_delete"))
    };
    assert!(!bulk(
        "CREATE FUNCTION f(wanted bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET a = true WHERE id = wanted; END $$;
         SELECT f(42);"
    ));
    assert!(!bulk(
        "CREATE FUNCTION f(IN \"Wanted\" bigint) RETURNS void LANGUAGE sql AS $$ DELETE FROM t WHERE t.id = \"Wanted\" $$;
         SELECT f(42);"
    ));
    // No key, or nothing that means one value.
    assert!(bulk(
        "CREATE FUNCTION f(wanted boolean) RETURNS void LANGUAGE sql AS $$ UPDATE t SET a = true WHERE a = wanted $$; SELECT f(true);"
    ));
    assert!(bulk(
        "CREATE FUNCTION f(wanted bigint) RETURNS void LANGUAGE sql AS $$ UPDATE t SET a = true WHERE id = other $$; SELECT f(42);"
    ));
}
