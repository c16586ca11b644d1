//! What a migration tool's own command line is: to run what is pending, to go one step back, to tell where it is.
//!
//! Facts are those of the tools' documentation (2026). Where a tool needs a file or an address that only the project
//! knows, its usual default is left to hold.

use super::shell::quote;
use crate::gate::release::Step;
use crate::migration::project::runners;

/// The commands of a tool. `None` where the tool has none, or where it isn't known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// Runs one migration.
    pub one: Option<String>,
    /// Runs all that are pending.
    pub all: Option<String>,
    /// Undoes the last one.
    pub back: Option<String>,
    /// Tells what has run.
    pub status: Option<String>,
}

/// psql as it is used throughout: no .psqlrc, stops at the first error.
pub const PSQL: &str = "psql \"$DATABASE_URL\" -X -v ON_ERROR_STOP=1";

/// The commands for one migration of the tool called `runner`; `folder` holds the migrations.
pub fn commands(runner: Option<&str>, folder: &str, step: Option<&Step>) -> Commands {
    let dir = quote(folder);
    let version = step.map(|step| step.version.as_str()).filter(|version| !version.is_empty()).map(quote);
    let some = |text: &str| Some(text.to_owned());
    let url = "\"$DATABASE_URL\"";
    let (one, all, back, status) = match runner {
        Some("golang-migrate") => {
            let tool = format!("migrate -path {dir} -database {url}");
            (
                Some(format!("{tool} up 1")),
                Some(format!("{tool} up")),
                Some(format!("{tool} down 1")),
                Some(format!("{tool} version")),
            )
        }
        Some("goose") => {
            let tool = format!("goose -dir {dir} postgres {url}");
            (
                Some(format!("{tool} up-by-one")),
                Some(format!("{tool} up")),
                Some(format!("{tool} down")),
                Some(format!("{tool} status")),
            )
        }
        Some("dbmate") => {
            let tool = format!("dbmate --url {url} --migrations-dir {dir}");
            (
                None,
                Some(format!("{tool} migrate")),
                Some(format!("{tool} rollback")),
                Some(format!("{tool} status")),
            )
        }
        Some("flyway") => {
            // JDBC has another spelling of the same address.
            let tool = format!("flyway -url=\"$JDBC_URL\" -locations=filesystem:{dir}");
            (
                version.as_ref().map(|version| format!("{tool} -target={version} migrate")),
                Some(format!("{tool} migrate")),
                Some(format!("{tool} undo")),
                Some(format!("{tool} info")),
            )
        }
        Some("sqlx") => {
            let at = format!("--source {dir} --database-url {url}");
            (
                version.as_ref().map(|version| format!("sqlx migrate run {at} --target-version {version}")),
                Some(format!("sqlx migrate run {at}")),
                Some(format!("sqlx migrate revert {at}")),
                Some(format!("sqlx migrate info {at}")),
            )
        }
        Some("diesel") => {
            let at = format!("--migration-dir {dir} --database-url {url}");
            (
                None,
                Some(format!("diesel migration run {at}")),
                Some(format!("diesel migration revert {at}")),
                Some(format!("diesel migration list {at}")),
            )
        }
        Some("prisma" | "prisma-7.4" | "prisma-any") => {
            (None, some("npx prisma migrate deploy"), None, some("npx prisma migrate status"))
        }
        Some("drizzle" | "drizzle-1") => (None, some("npx drizzle-kit migrate"), None, None),
        Some("liquibase") => {
            let tool = "liquibase --url=\"$JDBC_URL\"";
            (
                Some(format!("{tool} update-count --count=1")),
                Some(format!("{tool} update")),
                Some(format!("{tool} rollback-count --count=1")),
                Some(format!("{tool} status --verbose")),
            )
        }
        Some("sqitch") => {
            let target = "--target \"db:$DATABASE_URL\"";
            (
                None,
                Some(format!("sqitch deploy --verify {target}")),
                Some(format!("sqitch revert --to @HEAD^ {target}")),
                Some(format!("sqitch status {target}")),
            )
        }
        Some("refinery") => (None, Some(format!("refinery migrate -e DATABASE_URL -p {dir}")), None, None),
        Some("graphile-migrate") => {
            (None, some("npx graphile-migrate migrate"), None, some("npx graphile-migrate status"))
        }
        Some("node-pg-migrate") => {
            let tool = format!("npx node-pg-migrate --migrations-dir {dir}");
            (Some(format!("{tool} up 1")), Some(format!("{tool} up")), Some(format!("{tool} down 1")), None)
        }
        Some("hasura") => (
            some("hasura migrate apply --up 1"),
            some("hasura migrate apply"),
            some("hasura migrate apply --down 1"),
            some("hasura migrate status"),
        ),
        Some("supabase") => (
            None,
            Some(format!("supabase db push --db-url {url}")),
            None,
            Some(format!("supabase migration list --db-url {url}")),
        ),
        Some("atlas") => {
            let at = format!("--dir {} --url {url}", quote(&format!("file://{folder}")));
            (
                Some(format!("atlas migrate apply 1 {at}")),
                Some(format!("atlas migrate apply {at}")),
                None,
                Some(format!("atlas migrate status {at}")),
            )
        }
        Some("tern") => {
            let tool = format!("tern migrate --migrations {dir} --conn-string {url}");
            (
                Some(format!("{tool} --destination +1")),
                Some(tool.clone()),
                Some(format!("{tool} --destination -1")),
                Some(format!("tern status --migrations {dir} --conn-string {url}")),
            )
        }
        Some("sql-migrate") => (
            some("sql-migrate up -limit=1"),
            some("sql-migrate up"),
            some("sql-migrate down -limit=1"),
            some("sql-migrate status"),
        ),
        Some("yoyo") => {
            let at = format!("--batch --database {url} {dir}");
            (None, Some(format!("yoyo apply {at}")), None, Some(format!("yoyo list --database {url} {dir}")))
        }
        Some("db-migrate") => (
            some("npx db-migrate up --count 1"),
            some("npx db-migrate up"),
            some("npx db-migrate down --count 1"),
            some("npx db-migrate check"),
        ),
        Some("mybatis") => {
            (some("migrate up 1"), some("migrate up"), some("migrate down 1"), some("migrate status"))
        }
        Some("psql") => {
            let file = step.map(|step| format!("{PSQL} -f {}", quote(&step.path)));
            let down =
                step.and_then(|step| step.down.as_ref()).map(|down| format!("{PSQL} -f {}", quote(down)));
            (file, None, down, None)
        }
        _ => (None, None, None, None),
    };
    Commands { one, all, back, status }
}

/// SQL that shows the rows that were written last into the tool's ledger.
pub fn ledger_sql(runner: Option<&str>) -> Option<String> {
    let ledger = runners::runner(runner?)?.ledger.as_ref()?;
    let table = ledger.tables.first()?;
    let rows = ledger.rows.replace("{table}", table);
    let mut shown = format!("{} AS version", ledger.key);
    for (sql, trivial, name) in [(ledger.applied, "true", "applied"), (ledger.failed, "false", "failed")] {
        if sql != trivial {
            shown.push_str(&format!(", {sql} AS {name}"));
        }
    }
    // As text, version 9 would come before 13.
    let order = if ledger.newest.is_empty() { "1" } else { ledger.newest };
    let key = ledger.key;
    Some(format!(
        "SELECT {shown} FROM {rows} WHERE ({key}) IS NOT NULL ORDER BY {order} DESC NULLS LAST LIMIT 5;"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_with_odd_names_stay_one_word() {
        let step = Step { path: "db/it's new.sql".into(), version: "7".into(), ..Step::default() };
        let psql = commands(Some("psql"), "db", Some(&step)).one.unwrap();
        assert!(psql.ends_with(r"-f 'db/it'\''s new.sql'"), "{psql}");
        let goose = commands(Some("goose"), "my migrations", Some(&step)).one.unwrap();
        assert_eq!(goose, "goose -dir 'my migrations' postgres \"$DATABASE_URL\" up-by-one");
        assert_eq!(commands(None, "db", Some(&step)), Commands::default());
    }

    #[test]
    fn every_tool_named_here_is_one_that_is_known() {
        let source = include_str!("commands.rs");
        let mut named = 0;
        for piece in source.split("Some(\"").skip(1) {
            let name = piece.split('"').next().unwrap_or("");
            if piece.split(')').next().is_some_and(|head| head.ends_with('"') || head.contains(" | "))
                && !name.contains(' ')
            {
                named += 1;
                assert!(runners::runner(name).is_some(), "{name} is no tool");
            }
        }
        assert!(named > 15, "{named}");
    }
}
