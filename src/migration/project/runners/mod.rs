//! The migration tools that are known, one description each.

mod alembic;
mod atlas;
mod bun;
mod db_migrate;
mod dbmate;
mod diesel;
mod django;
mod drizzle;
mod evolve;
mod flyway;
mod golang_migrate;
mod goose;
mod graphile_migrate;
mod hasura;
mod liquibase;
mod liquibase_export;
mod migratus;
mod mybatis;
mod node_pg_migrate;
mod play;
mod pop;
mod postgrator;
mod postgres_migrations;
mod prisma;
mod psql;
mod rails;
mod rambler;
mod refinery;
mod shmig;
mod sqitch;
mod sql_migrate;
mod sqlx;
mod supabase;
mod tern;
mod yandex_pgmigrate;
mod yoyo;

use super::runner::Runner;

/// All of them. Where several fit equally well the earlier one is taken.
pub static RUNNERS: &[&Runner] = &[
    &flyway::RUNNER,
    &liquibase::RUNNER,
    &goose::RUNNER,
    &dbmate::RUNNER,
    &sql_migrate::RUNNER,
    &diesel::RUNNER,
    &sqlx::RUNNER,
    &refinery::RUNNER,
    &sqitch::RUNNER,
    &prisma::RUNNER,
    &prisma::SPLITTING,
    &prisma::EITHER,
    &drizzle::RUNNER,
    &drizzle::FOLDERS,
    &supabase::RUNNER,
    &hasura::RUNNER,
    &bun::RUNNER,
    &pop::RUNNER,
    &migratus::RUNNER,
    &golang_migrate::RUNNER,
    &node_pg_migrate::RUNNER,
    &graphile_migrate::RUNNER,
    &db_migrate::RUNNER,
    &tern::RUNNER,
    &yoyo::RUNNER,
    &play::RUNNER,
    &mybatis::RUNNER,
    &postgrator::RUNNER,
    &postgres_migrations::RUNNER,
    &yandex_pgmigrate::RUNNER,
    &evolve::RUNNER,
    &rambler::RUNNER,
    &shmig::RUNNER,
    &atlas::RUNNER,
    &psql::RUNNER,
    &django::RUNNER,
    &alembic::RUNNER,
    &rails::RUNNER,
    &liquibase_export::RUNNER,
];

/// What people call the tool: where its version isn't known, its name here is nobody's.
pub fn shown(name: &str) -> &str {
    if name == prisma::EITHER.name { prisma::RUNNER.name } else { name }
}

/// The tool of that name.
pub fn runner(name: &str) -> Option<&'static Runner> {
    RUNNERS.iter().copied().find(|runner| runner.name == name)
}
