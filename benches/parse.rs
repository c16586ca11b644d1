//! How fast SQL is split and parsed: lexing alone, then all of it, on migrations, seed data and PL/pgSQL.
//!
//!     cargo bench --bench parse
//!     ROLLSAFE_CORPUS=folder cargo bench --bench parse    # also every .sql file below a folder

use divan::Bencher;
use divan::counter::BytesCount;
use rollsafe::migration::parse::lex::Lexer;
use rollsafe::migration::parse::parse;

fn main() {
    divan::main();
}

/// One migration as they come: tables, keys, indexes, a few changes of data, comments.
const MIGRATION: &str = r#"
-- Orders get a state of their own, and the old flag goes.
BEGIN;
CREATE TABLE IF NOT EXISTS billing.order_states (
    id bigserial PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES billing.orders (id) ON DELETE CASCADE,
    state varchar(40) NOT NULL DEFAULT 'new',
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone NOT NULL DEFAULT now(),
    CONSTRAINT order_states_state_check CHECK (state IN ('new', 'paid', 'sent') AND length(state) > 2)
);
ALTER TABLE "billing"."orders" ADD COLUMN "stateId" integer, ALTER COLUMN total TYPE numeric(12, 2), DROP COLUMN is_open;
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS order_states_order_id_idx ON billing.order_states USING btree (order_id, lower(state)) WHERE state <> 'new';
UPDATE billing.orders o SET "stateId" = s.id FROM billing.order_states s WHERE s.order_id = o.id AND o."stateId" IS NULL;
INSERT INTO billing.kinds (id, name, weight) VALUES (1, 'small', 0.5), (2, 'large', 12.25) ON CONFLICT (id) DO NOTHING;
COMMENT ON TABLE billing.order_states IS 'one row for each state that an order has been in';
COMMIT;
"#;

const ROUTINE: &str = r#"
CREATE OR REPLACE FUNCTION app.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    n integer := 0;
    r record;
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.total IS DISTINCT FROM OLD.total THEN
        INSERT INTO app.changes (order_id, before, after, at) VALUES (NEW.id, OLD.total, NEW.total, clock_timestamp());
    END IF;
    FOR r IN SELECT id, name FROM app.watchers WHERE order_id = NEW.id ORDER BY id LOOP
        PERFORM pg_notify('changes', format('%s:%s', r.id, r.name));
        n := n + 1;
    END LOOP;
    RETURN NEW;
END;
$$;
"#;

/// `text` often enough to be about a megabyte.
fn repeated(text: &str) -> String {
    text.repeat(1_000_000 / text.len() + 1)
}

fn seed() -> String {
    let rows: Vec<String> =
        (0..20_000).map(|n| format!("({n}, 'name {n}', {n}.5, NULL, '2024-01-01')")).collect();
    format!("INSERT INTO app.seed (id, name, weight, note, day) VALUES\n{};\n", rows.join(",\n"))
}

fn corpus() -> Option<String> {
    fn collect(path: &std::path::Path, text: &mut String) {
        if let Ok(folder) = std::fs::read_dir(path) {
            for entry in folder.flatten() {
                collect(&entry.path(), text);
            }
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            text.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            text.push_str(";\n");
        }
    }
    let mut text = String::new();
    collect(std::path::Path::new(&std::env::var_os("ROLLSAFE_CORPUS")?), &mut text);
    Some(text)
}

#[divan::bench]
fn lex_migrations(bencher: Bencher) {
    let text = repeated(MIGRATION);
    bencher.counter(BytesCount::of_str(&text)).bench(|| {
        let mut lexer = Lexer::new(&text, 0..text.len());
        let mut count = 0;
        while lexer.next_token().is_some() {
            count += 1;
        }
        count
    });
}

#[divan::bench]
fn parse_migrations(bencher: Bencher) {
    let text = repeated(MIGRATION);
    bencher.counter(BytesCount::of_str(&text)).bench(|| parse(&text, 0..text.len()).statements.len());
}

#[divan::bench]
fn parse_routines(bencher: Bencher) {
    let text = repeated(ROUTINE);
    bencher.counter(BytesCount::of_str(&text)).bench(|| parse(&text, 0..text.len()).statements.len());
}

#[divan::bench]
fn parse_seed_data(bencher: Bencher) {
    let text = seed();
    bencher.counter(BytesCount::of_str(&text)).bench(|| parse(&text, 0..text.len()).statements.len());
}

#[divan::bench]
fn parse_corpus(bencher: Bencher) {
    let Some(text) = corpus() else { return };
    bencher.counter(BytesCount::of_str(&text)).bench(|| parse(&text, 0..text.len()).statements.len());
}
