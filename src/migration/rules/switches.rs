//! How each migration tool is told to run one file outside a transaction: the words to paste.

/// What to write so that `runner` opens no transaction around a migration; a general sentence where the
/// runner isn't known or has no such switch.
pub fn without_transaction(runner: Option<&str>) -> &'static str {
    match runner.unwrap_or("") {
        "flyway" => {
            "Flyway: put `executeInTransaction=false` into a file of the migration's name with `.conf` appended, \
             and set `flyway.postgresql.transactional.lock=false`."
        }
        "liquibase" => "Liquibase: put `runInTransaction:false` on the `--changeset` line.",
        "golang-migrate" => {
            "golang-migrate sends the whole file as one query: the statement must be alone in its file, even \
             without a SET before it."
        }
        "goose" => "goose: put `-- +goose NO TRANSACTION` at the top of the file.",
        "dbmate" => {
            "dbmate: write `-- migrate:up transaction:false`, and let the section hold only this statement \
             (it is still sent as one query)."
        }
        "sqlx" => {
            "sqlx: make `-- no-transaction` the very first bytes of the file, and let the file hold only this \
             statement (it is still sent as one query)."
        }
        "diesel" => {
            "Diesel: put `run_in_transaction = false` into the migration's metadata.toml, and let up.sql hold \
             only this statement (it is still sent as one query)."
        }
        "refinery" => {
            "refinery can't run a migration outside a transaction: run this statement by other means."
        }
        "sea-orm" => "SeaORM 2: return `Some(false)` from `use_transaction`.",
        "sqitch" | "psql" => "Leave out BEGIN and COMMIT in this file.",
        "prisma" => "Prisma: put the statement alone into its migration, without BEGIN.",
        "drizzle" => {
            "Drizzle has no switch: write `COMMIT;--> statement-breakpoint` before the statement; all that \
             follows, later migrations included, then runs without a transaction."
        }
        "knex" => "Knex: `exports.config = { transaction: false }` in this migration.",
        "typeorm" => {
            "TypeORM: `transaction = false` in the migration's class, and `migrationsTransactionMode: 'each'`."
        }
        "mikro-orm" => "MikroORM: return false from `isTransactional()`, with `allOrNothing: false`.",
        "node-pg-migrate" => {
            "node-pg-migrate: run with `--no-single-transaction`; only a JavaScript migration can call \
             `pgm.noTransaction()`."
        }
        "graphile-migrate" => {
            "graphile-migrate: make `--! no-transaction` the first line, and let the file hold only this statement."
        }
        "rails" => "Rails: write `disable_ddl_transaction!` in the migration's class.",
        "django" => {
            "Django: `atomic = False` in the migration's class, and each statement as a string of its own in RunSQL([…])."
        }
        "alembic" => {
            "Alembic: `with op.get_context().autocommit_block():` around an op.execute() of this statement alone."
        }
        "ecto" => "Ecto: `@disable_ddl_transaction true` and `@disable_migration_lock true`.",
        "atlas" => "Atlas: put `-- atlas:txmode none` at the head of the file, followed by a blank line.",
        "hasura" => "Hasura: make `-- hasura:no-transaction` the first line.",
        "tern" => "tern: put the line `---- tern: disable-tx ----` into the file.",
        "sql-migrate" => "sql-migrate: write `-- +migrate Up notransaction`.",
        "yoyo" => "yoyo: begin the file with `-- transactional: false`.",
        "yandex-pgmigrate" => "yandex-pgmigrate: put NONTRANSACTIONAL into the file's name.",
        "evolve" => "Evolve: make `evolve-tx-off` the comment of the first line.",
        "migratus" => "migratus: make `-- :disable-transaction` the first bytes of the file.",
        "postgres-migrations" => "postgres-migrations: write `-- postgres-migrations disable-transaction`.",
        "bun" => "bun: name the file `.up.sql`, not `.tx.up.sql`.",
        _ => {
            "Put the statement into a file of its own, and tell the migration tool to run that file outside a transaction."
        }
    }
}
